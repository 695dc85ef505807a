"""What goes out and what comes in under options: compression, fragments; and what an endpoint must not answer."""

import random

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from harness.record.row import Closer, Outcome
from tests.transport.serving import accept, read_head, read_to_end, text

DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
PLENTY = "grün " * 5_000


def offer(**settings):
    return (ClientPerMessageDeflateFactory(compress_settings={"memLevel": 5}, **settings),)


class Echo:
    """An independent server: the library's other side, echoing; `frames` is what came, `said` the upgrade's head."""

    def __init__(self, *extensions, fragments=1):
        self.extensions, self.fragments = extensions, fragments
        self.frames, self.said = [], b""

    def __call__(self, peer):
        protocol = ServerProtocol(extensions=self.extensions or None)
        head = read_head(peer)
        self.said = head
        protocol.receive_data(head)
        while True:
            for event in protocol.events_received():
                if isinstance(event, Frame):
                    self.frames.append(event)
                    if event.fin and event.opcode in (Opcode.TEXT, Opcode.CONT):
                        self.echo(protocol)
                else:
                    protocol.send_response(protocol.accept(event))
            peer.sendall(b"".join(protocol.data_to_send()))
            try:
                data = peer.recv(65536)
            except OSError:
                return
            if not data:
                return
            protocol.receive_data(data)

    def echo(self, protocol):
        whole = self.whole()
        step = -(-len(whole) // self.fragments)
        parts = [whole[at : at + step] for at in range(0, len(whole), step)]
        protocol.send_text(parts[0], fin=len(parts) == 1)
        for number, part in enumerate(parts[1:], 2):
            protocol.send_continuation(part, fin=number == len(parts))

    def whole(self):
        begin = max(at for at, frame in enumerate(self.frames) if frame.opcode is Opcode.TEXT)
        return b"".join(bytes(frame.data) for frame in self.frames[begin:])


def round_trips(bench, server, *messages, **wishes):
    connection = bench.connect(server, **wishes)
    bench.until(lambda: bench.witness.opening)
    for number, message in enumerate(messages, 1):
        assert connection.send(message)
        bench.until(lambda number=number: len(bench.witness.messages) == number or bench.witness.endings)
    assert [data for data, _ in bench.witness.messages] == list(messages)
    connection.reset()


@pytest.mark.parametrize("client", [{}, {"client_no_context_takeover": True}, {"client_max_window_bits": 9}])
@pytest.mark.parametrize("server", [{}, {"server_no_context_takeover": True}, {"server_max_window_bits": 9}])
def test_compressed_messages_come_back_whole_with_and_without_context_takeover(plain, client, server):
    echo = Echo(ServerPerMessageDeflateFactory(**server), fragments=3)
    messages = [b"one", PLENTY.encode(), b"{}", b"x" * 130, b"one"]
    round_trips(plain, echo, *messages, extensions=offer(**client))
    assert b"permessage-deflate" in echo.said


def test_compression_makes_the_second_of_two_equal_messages_smaller_only_if_the_window_is_kept(plain):
    def second_size(number, **settings):
        lengths = []

        def behave(peer):
            accept(peer, DEFLATE)
            for _ in range(2):
                lengths.append(len(peer.recv(65536)))
                peer.sendall(text(b"got it"))
            read_to_end(peer)

        connection = plain.connect(behave, extensions=offer(**settings))
        plain.until(lambda: len(plain.witness.opening) == number)
        for _ in range(2):
            count = len(plain.witness.messages)
            connection.send(bytes(range(32, 127)) * 3)
            plain.until(lambda count=count: len(plain.witness.messages) > count)
        connection.reset()
        return lengths

    first, second = second_size(1)
    assert second < first / 2
    first, second = second_size(2, client_no_context_takeover=True)
    assert second == first


def test_a_plain_frame_on_a_compressed_connection_is_plain(plain):
    def behave(peer):
        accept(peer, DEFLATE)
        peer.sendall(text(b"plain") + text(b"too"))
        read_to_end(peer)

    connection = plain.connect(behave, extensions=offer())
    plain.until(lambda: len(plain.witness.messages) == 2)
    assert [data for data, _ in plain.witness.messages] == [b"plain", b"too"]
    connection.reset()


def test_an_endpoint_that_declines_compression_gets_plain_frames(plain):
    echo = Echo()
    round_trips(plain, echo, b"plain", extensions=offer())
    assert b"permessage-deflate" in echo.said
    assert echo.frames[0].data == b"plain"


@pytest.mark.parametrize(
    ("agreed", "frames", "code"),
    [
        (b"", b"\xc1\x03abc", 1002),  # compressed, and nobody asked for it
        (DEFLATE, b"\xc1\x03abc", 1002),  # agreed on, and not deflate
        (DEFLATE, b"\xa1\x00", 1002),  # another reserved bit
        (DEFLATE, b"\x41\x01x\xc0\x01y", 1002),  # the bit again on a continuation
    ],
)
def test_a_compressed_frame_that_is_wrong_fails_the_connection(plain, agreed, frames, code):
    def behave(peer):
        accept(peer, agreed)
        peer.sendall(frames)
        read_to_end(peer)

    plain.connect(behave, extensions=offer() if agreed else ())
    plain.until(lambda: plain.witness.endings)
    end, _ = plain.witness.endings[0]
    assert (end.closer, end.code) == (Closer.GARBLED, code)


def test_a_bomb_is_not_unpacked_beyond_the_largest_message(plain):
    packer = ServerPerMessageDeflateFactory().process_request_params([], [])[1]
    bomb = packer.encode(Frame(Opcode.TEXT, b"0" * 50_000_000)).data

    def behave(peer):
        accept(peer, DEFLATE)
        peer.sendall(b"\xc1\x7f" + len(bomb).to_bytes(8, "big") + bytes(bomb))
        read_to_end(peer)

    plain.connect(behave, extensions=offer(), max_bytes=100_000)
    plain.until(lambda: plain.witness.endings)
    assert plain.witness.endings[0][0].code == 1009
    assert not plain.witness.messages


@pytest.mark.parametrize(
    "more",
    [DEFLATE, b"Sec-WebSocket-Extensions: x-unheard-of\r\n", b"Sec-WebSocket-Protocol: chat\r\n"],
)
def test_an_upgrade_that_grants_what_was_not_asked_for_is_garbled(plain, more):
    plain.connect(lambda peer: (accept(peer, more), read_to_end(peer)))
    plain.until(lambda: plain.witness.refusals)
    why = plain.witness.refusals[0]
    assert (why.outcome, why.code) == (Outcome.GARBLED, 101)


@pytest.mark.parametrize("extensions", [(), offer()])
@pytest.mark.parametrize(
    ("size", "longest", "frames"),
    [(1, 1, 1), (100, 100, 1), (101, 100, 2), (100_000, 32_768, 4), (300, 100, 3), (7, 1, 7)],
)
def test_a_long_message_goes_out_in_fragments_of_at_most_the_frame_size(plain, extensions, size, longest, frames):
    def noise(count):
        return bytes(33 + (number * number * 7919 >> 3) % 90 for number in range(count))

    echo = Echo(*([ServerPerMessageDeflateFactory()] if extensions else []))
    message = noise(size)
    round_trips(plain, echo, message, extensions=extensions, max_frame_bytes=longest)
    opcodes = [frame.opcode for frame in echo.frames]
    if extensions:
        assert echo.whole() == message
        return
    assert opcodes == [Opcode.TEXT] + [Opcode.CONT] * (frames - 1)
    assert max(len(frame.data) for frame in echo.frames) <= longest


def test_fragments_keep_to_the_size_when_compressed_as_well(plain):
    wire = []

    def behave(peer):
        accept(peer, DEFLATE)
        while sum(map(len, wire)) < 9_000:
            wire.append(peer.recv(65536))

    connection = plain.connect(behave, extensions=offer(), max_frame_bytes=1_000)
    plain.until(lambda: plain.witness.opening)
    chance = random.Random(7)
    connection.send(bytes(chance.choices(range(33, 127), k=12_000)))
    plain.until(lambda: sum(map(len, wire)) >= 9_000)
    data, at, heads = b"".join(wire), 0, []
    while at + 4 <= len(data):
        size = data[at + 1] & 127
        at += 2
        if size == 126:
            size = int.from_bytes(data[at : at + 2], "big")
            at += 2
        heads.append((data[at - (4 if size > 125 else 2)], size))
        at += 4 + size
    assert all(size <= 1_000 for _, size in heads)
    assert heads[0][0] == 0x41  # text, compressed, not the last
    assert {first for first, _ in heads[1:]} <= {0x00, 0x80}
    connection.reset()


def test_text_that_is_not_utf8_ends_a_connection_even_when_the_endpoint_says_nothing_more(plain):
    def behave(peer):
        accept(peer)
        peer.sendall(text(b"\xff"))
        read_to_end(peer)  # and never ends its side first

    connection = plain.connect(behave)
    plain.until(lambda: plain.witness.endings)
    assert plain.witness.endings[0][0].code == 1007
    connection.reset()
