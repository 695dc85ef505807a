"""What the transport needs of `websockets` beyond its documented interface: a release that lacks it fails here."""

from types import GeneratorType

import pytest
import websockets.frames
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.uri import parse_uri

from harness.transport.frames import BETWEEN, is_between

URI = parse_uri("ws://127.0.0.1/")
FRAMES = [
    Frame(Opcode.TEXT, b"plain"),
    Frame(Opcode.TEXT, b""),
    Frame(Opcode.PING, b"beat"),
    Frame(Opcode.TEXT, b"x" * 200),  # 16 bits of length
    Frame(Opcode.TEXT, b"first", fin=False),
    Frame(Opcode.PONG, b""),
    Frame(Opcode.CONT, b"last"),
    Frame(Opcode.BINARY, b"y" * 70_000),  # 64 bits of length
]


def core(state=State.OPEN):
    return ClientProtocol(URI, state=state, max_size=None)


def test_the_parser_is_a_generator_whose_innermost_one_says_what_it_waits_for():
    parser = core().parser
    assert isinstance(parser, GeneratorType)
    assert StreamReader.at_eof.__code__ is BETWEEN
    protocol = core()
    protocol.receive_data(b"")
    waiting = protocol.parser
    while isinstance(inner := waiting.gi_yieldfrom, GeneratorType):
        waiting = inner
    assert waiting.gi_code is BETWEEN


@pytest.mark.parametrize("step", [1, 3])
def test_the_core_is_between_frames_exactly_after_each_whole_one(step):
    protocol, at, ends = core(), 0, set()
    stream = b""
    for frame in FRAMES:
        stream += frame.serialize(mask=False)
        ends.add(len(stream))
    while at < len(stream):
        protocol.receive_data(stream[at : at + step])
        at = min(at + step, len(stream))
        protocol.events_received()
        protocol.data_to_send()
        assert is_between(protocol) == (at in ends), at
    assert is_between(protocol)


def test_the_masking_of_frames_is_where_we_take_it_from():
    assert bytes(websockets.frames.apply_mask(b"\x00\x01\x02\x03\x04", b"\xff\x00\xff\x00")) == b"\xff\x01\xfd\x03\xfb"


def test_a_core_takes_a_memoryview_and_says_whether_it_has_something_to_send():
    protocol = core()
    protocol.receive_data(memoryview(Frame(Opcode.PING, b"beat").serialize(mask=False)))
    assert [event.opcode for event in protocol.events_received()] == [Opcode.PING]
    assert protocol.writes
    assert b"".join(protocol.data_to_send())
    assert not protocol.writes


def test_a_core_judges_the_answer_by_the_key_it_is_given():
    asked = core(State.CONNECTING)
    request = asked.connect()
    asked.send_request(request)
    server = ServerProtocol()
    server.receive_data(b"".join(asked.data_to_send()))
    server.send_response(server.accept(server.events_received()[0]))
    answer = b"".join(server.data_to_send())
    for key, state in ((asked.key, State.OPEN), ("AAAAAAAAAAAAAAAAAAAAAA==", State.CONNECTING)):
        reader = core(State.CONNECTING)
        reader.key = key
        reader.receive_data(answer)
        assert reader.state is state
        assert (reader.handshake_exc is None) == (state is State.OPEN)
