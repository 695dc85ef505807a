"""What an endpoint sends means the same however it is cut: whole, byte by byte, anywhere, and with a tail."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode

from harness.record.row import Closer
from tests.transport.pairs import Line, PairBench
from tests.transport.serving import close_frame, text

DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
EXAMPLES = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

texts = st.one_of(
    st.text(max_size=20), st.text(min_size=100, max_size=140), st.just("x" * 125), st.just("y" * 126),
    st.just("ü" * 40_000),
).map(str.encode)  # fmt: skip
cut_texts = st.tuples(texts, st.lists(st.integers(0, 50), min_size=1, max_size=4))
events = st.one_of(
    st.tuples(st.just("text"), texts),
    st.tuples(st.just("binary"), st.binary(max_size=200)),
    st.tuples(st.just("fragments"), cut_texts),
    st.tuples(st.just("ping"), st.binary(max_size=125)),
    st.tuples(st.just("pong"), st.binary(max_size=125)),
    st.tuples(st.just("compressed"), texts),
)
cuttings = st.one_of(st.just(()), st.just((1,)), st.lists(st.integers(1, 70_000), min_size=1, max_size=5).map(tuple))


def write(event, packer):
    """The frames of one event, and the message that it is to the client (None: none)."""
    kind, what = event
    if kind == "text":
        return text(what), what
    if kind == "compressed":
        return Frame(Opcode.TEXT, what).serialize(mask=False, extensions=[packer]), what
    if kind == "binary":
        return text(what, opcode=Opcode.BINARY), what
    if kind in ("ping", "pong"):
        return text(what, opcode=Opcode[kind.upper()]), None
    whole, sizes = what
    data, at = b"", 0
    for number, size in enumerate(sizes):
        opcode = Opcode.TEXT if not number else Opcode.CONT
        data += text(whole[at : at + size], fin=False, opcode=opcode) + text(b"?", opcode=Opcode.PING)
        at += size
    return data + text(whole[at:], opcode=Opcode.CONT), whole


@pytest.fixture(scope="module")
def pairs():
    bench = PairBench()
    yield bench
    bench.finish()
    assert not bench.failures


@pytest.mark.parametrize("sealed", [False, True], ids=["tcp", "tls"])
@EXAMPLES
@given(said=st.lists(events, max_size=6), cuts=cuttings, tail=st.integers(1, 40), in_the_answer=st.booleans())
@example(said=[("text", b"one"), ("text", "ü".encode() * 70)], cuts=(1,), tail=3, in_the_answer=True)
@example(said=[("fragments", ("grün".encode(), [3])), ("text", b"x")], cuts=(1,), tail=1, in_the_answer=False)
@example(
    said=[("compressed", b"again"), ("text", b"plain"), ("compressed", b"again")],
    cuts=(1,),
    tail=9,
    in_the_answer=False,
)
@example(said=[("text", b"x" * 33_029)], cuts=(2, 70_000), tail=5, in_the_answer=False)  # its length is a header
@example(said=[("binary", b"\x81\x03abcdefg"), ("text", b"x")], cuts=(2, 70_000), tail=2, in_the_answer=False)
def test_messages_come_out_the_same_however_the_stream_is_cut(pairs, trust, sealed, said, cuts, tail, in_the_answer):
    packer = ServerPerMessageDeflateFactory().process_request_params([], [])[1]
    frames, messages = b"", []
    for event in said:
        data, message = write(event, packer)
        frames += data
        if message is not None:
            messages.append(message)
    line = Line(
        pairs, trust.server if sealed else None, tls=trust.client if sealed else None,
        extensions=(ClientPerMessageDeflateFactory(),),
    )  # fmt: skip
    try:
        answer = line.answer(DEFLATE)
        if in_the_answer:
            line.feed(answer + frames, cuts)
        else:
            line.feed(answer)
            line.feed(frames, cuts)
        witness = line.witness
        assert (witness.opened_times, witness.messages, witness.is_over) == (1, messages, False)
        last = text(b"never whole" * 10)
        line.feed(last[: min(tail, len(last) - 1)])
        assert witness.messages == messages
        line.end()
        assert (witness.ending.closer, witness.ending.code) == (Closer.FIN, 1006)
        assert witness.told_after_the_end == 0
    finally:
        line.connection.reset()
        line.close()


@EXAMPLES
@given(said=st.lists(events, max_size=4), cuts=cuttings, code=st.sampled_from([1000, 1001, 1011, 4000]))
def test_a_close_frame_ends_it_with_its_code_wherever_the_stream_is_cut(pairs, said, cuts, code):
    said = [event for event in said if event[0] != "compressed"]
    written = [write(event, None) for event in said]
    line = Line(pairs)
    try:
        frames = b"".join(data for data, _ in written)
        line.feed(line.answer() + frames + close_frame(code, "why") + text(b"after the end"), cuts)
        witness = line.witness
        assert witness.messages == [message for _, message in written if message is not None]
        assert (witness.ending.closer, witness.ending.code, witness.ending.reason) == (Closer.ENDPOINT, code, "why")
    finally:
        line.connection.reset()
        line.close()


@EXAMPLES
@given(cuts=cuttings, status=st.sampled_from([200, 401, 429, 503]), body=st.binary(max_size=300))
def test_a_refusal_is_read_whole_however_it_is_cut(pairs, cuts, status, body):
    head = f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\nX-Why: because\r\n\r\n".encode()
    line = Line(pairs)
    try:
        line.feed(head + body, cuts)
        why = line.witness.refusal
        assert (why.code, why.text, why.body) == (status, f"HTTP {status} No", body.decode("utf-8", "replace"))
        assert ("X-Why", "because") in why.headers
    finally:
        line.close()
