"""The transport against servers that do one thing each, frame by frame: every test over plain TCP and over TLS."""

import errno
import os
import socket
import struct
import time

import gevent
import pytest
from websockets.frames import Frame, Opcode

from harness.faults.fault import Target, handler_of, reasons_not
from harness.plan import build_plan
from harness.plan.fault_registry import faults
from harness.record.row import Closer, Flag, Outcome
from harness.transport.websocket import LINGER_NS
from tests.transport.serving import accept, close_frame, read_to_end, text
from tests.waiting import until


class Stamped:
    sent = 0


def act_of(name):
    how = {} if name == faults()[name].tag else {"how": name}
    return build_plan({"chaos": [{"fault": faults()[name].tag, "at_s": 1.0, "count": 1} | how]}).chaos[0]


def skip_unless_allowed(name):
    if reasons := reasons_not([act_of(name)]):
        pytest.skip(str(reasons))


def inject(connection, name):
    """Inject a fault into a connection that no session holds."""
    act = act_of(name)
    fault = handler_of(act)(act, Target(None, connection, 0, None, lambda: None))
    fault.inject()
    return fault


def test_a_message_that_drained_the_socket_has_an_exact_kernel_stamp_between_sending_and_reading(bench):
    sent_at = []

    def behave(peer):
        accept(peer)
        time.sleep(0.05)
        sent_at.append(time.monotonic_ns())
        peer.sendall(text(b'{"a":1}'))
        read_to_end(peer)

    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.messages)
    data, when = bench.witness.messages[0]
    assert data == b'{"a":1}'
    assert when.flags == Flag.EXACT
    assert sent_at[0] <= when.arrived <= when.read
    connection.reset()


def test_messages_read_together_are_bounded_but_for_the_last(bench):
    def behave(peer):
        accept(peer)
        peer.sendall(text(b"one") + text(b"two") + text(b"three"))
        read_to_end(peer)

    connection = bench.connect(behave)
    bench.until(lambda: len(bench.witness.messages) == 3)
    flags = [when.flags for _, when in bench.witness.messages]
    assert flags[2] == Flag.EXACT
    assert set(flags[:2]) <= {Flag.BOUNDED, Flag.EXACT}
    connection.reset()


def test_a_busy_process_still_learns_when_the_kernel_had_the_message(bench):
    arrived_by = []

    def behave(peer):
        accept(peer)
        time.sleep(0.05)
        peer.sendall(text(b"x"))
        arrived_by.append(time.monotonic_ns())
        read_to_end(peer)

    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.opening)
    until(lambda: arrived_by)
    time.sleep(0.1)
    bench.until(lambda: bench.witness.messages)
    _, when = bench.witness.messages[0]
    assert when.arrived <= arrived_by[0] + 20_000_000
    assert when.read - when.arrived >= 80_000_000
    connection.reset()


def test_fragments_become_one_message_around_a_ping_that_is_answered(bench):
    answered = []

    def behave(peer):
        accept(peer)
        peer.sendall(text("grü".encode()[:3], fin=False))
        peer.sendall(text(b"hello", opcode=Opcode.PING))
        answered.append(peer.recv(100))
        peer.sendall(text("grü".encode()[3:] + b"n", opcode=Opcode.CONT))
        read_to_end(peer)

    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.messages)
    assert bench.witness.messages[0][0] == "grün".encode()
    assert answered[0][0] & 0x0F == Opcode.PONG
    connection.reset()


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (text(b"\xff\xfe"), 1007),
        (b"\xc1\x01x", 1002),  # a reserved bit
        (b"\x83\x00", 1002),  # an unknown opcode
        (Frame(Opcode.TEXT, b"x").serialize(mask=True), 1002),
        (struct.pack(">BBQ", 0x81, 127, 1 << 40), 1009),
        (text(b"y" * 5000), 1009),
        (b"\x88\x01x", 1002),  # a close frame of one byte
    ],
    ids=["no UTF-8", "reserved bit", "unknown opcode", "masked", "64-bit length", "too big", "close of one byte"],
)
def test_what_is_not_the_protocol_fails_the_connection_with_our_code(bench, frames, code):
    def behave(peer):
        accept(peer)
        peer.sendall(frames)
        read_to_end(peer)

    bench.connect(behave, max_bytes=4096)
    bench.until(lambda: bench.witness.endings)
    end, _ = bench.witness.endings[0]
    assert (end.closer, end.code, end.outcome) == (Closer.GARBLED, code, Outcome.CLOSED)


@pytest.mark.parametrize(
    ("code", "outcome"), [(1000, Outcome.OK), (1001, Outcome.OK), (1011, Outcome.CLOSED), (4000, Outcome.CLOSED)]
)
def test_an_endpoint_that_closes_is_told_with_its_code_and_reason(bench, code, outcome):
    def behave(peer):
        accept(peer)
        peer.sendall(close_frame(code, "because"))
        assert peer.recv(100)[0] == 0x88
        peer.shutdown(socket.SHUT_WR)
        read_to_end(peer)

    bench.connect(behave)
    bench.until(lambda: bench.witness.endings)
    end, _ = bench.witness.endings[0]
    assert end == (Closer.ENDPOINT, code, "because", outcome, 0)


def test_a_close_of_ours_that_is_answered_is_orderly_and_ours(bench):
    def behave(peer):
        accept(peer)
        assert peer.recv(100)[0] == 0x88
        peer.sendall(close_frame(1000))
        peer.close()

    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.opening)
    connection.close()
    bench.until(lambda: bench.witness.endings)
    end, when = bench.witness.endings[0]
    assert (end.closer, end.code, end.outcome) == (Closer.US, 1000, Outcome.OK)
    assert 0 < end.began <= when.arrived


def test_an_end_of_stream_without_a_close_frame_is_told_apart(bench):
    bench.connect(lambda peer: accept(peer))
    bench.until(lambda: bench.witness.endings)
    end, _ = bench.witness.endings[0]
    assert (end.closer, end.code, end.outcome) == (Closer.FIN, 1006, Outcome.CLOSED)


def test_a_reset_by_the_endpoint_is_told_with_its_errno(bench):
    def behave(peer):
        accept(peer)
        peer.recv(100)  # the client is open, or the reset would take the answer with it
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.opening)
    connection.send(b"now")
    bench.until(lambda: bench.witness.endings)
    end, _ = bench.witness.endings[0]
    assert (end.closer, end.code) == (Closer.RESET, errno.ECONNRESET)


@pytest.mark.parametrize(
    ("answer", "outcome", "code", "said"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\nX-A: b\r\n\r\nnope", Outcome.REJECTED, 401, "nope"),
        (b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 3\r\n\r\n", Outcome.REJECTED, 429, ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Outcome.REJECTED, 200, "hi"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         b"Sec-WebSocket-Accept: wrong\r\n\r\n", Outcome.GARBLED, 101, ""),
        (b"SSH-2.0-x\r\n\r\n", Outcome.GARBLED, 0, ""),
        (b"\x15\x03\x03\x00\x02\x02\x46", Outcome.GARBLED, 0, ""),
        (b"", Outcome.CLOSED, 0, ""),
    ],
)  # fmt: skip
def test_a_refused_upgrade_is_kept_as_evidence(bench, answer, outcome, code, said):
    def behave(peer):
        peer.recv(4096)
        peer.sendall(answer)

    bench.connect(behave)
    bench.until(lambda: bench.witness.refusals)
    why = bench.witness.refusals[0]
    assert (why.outcome, why.code, why.body) == (outcome, code, said)
    if code == 401:
        assert ("X-A", "b") in why.headers
    if answer.startswith(b"\x15"):
        assert "TLS" in why.text


def test_an_endpoint_that_never_answers_the_upgrade_expires(bench):
    bench.connect(lambda peer: read_to_end(peer), timeout_s=0.1)
    bench.until(lambda: bench.witness.refusals)
    assert bench.witness.refusals[0].outcome is Outcome.EXPIRED


def test_a_handshake_that_dribbles_expires_too(bench):
    def behave(peer):
        try:
            for sign in b"HTTP/1.1 101 Switching Protocols":
                peer.sendall(bytes([sign]))
                time.sleep(0.05)
        except OSError:
            pass

    bench.connect(behave, timeout_s=0.2)
    bench.until(lambda: bench.witness.refusals)
    assert bench.witness.refusals[0].outcome is Outcome.EXPIRED


def test_a_refused_port_is_an_outcome_with_its_errno(bench):
    from websockets.uri import parse_uri

    from harness.transport.options import Options, Route
    from harness.transport.websocket import WebSocket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    options = Options(Route(((int(socket.AF_INET), ("127.0.0.1", port)),)))
    connection = WebSocket(bench.sockets, bench.witness, options)
    connection.connect(0, parse_uri(f"ws://127.0.0.1:{port}/"), {}, ())
    bench.until(lambda: bench.witness.refusals)
    assert bench.witness.refusals[0][:2] == (Outcome.CLOSED, errno.ECONNREFUSED)


def test_a_full_socket_queues_and_sent_is_stamped_when_the_kernel_takes_the_last_byte(bench):
    begin = []

    def behave(peer):
        accept(peer)
        until(lambda: begin)
        read_to_end(peer)

    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.opening)
    messages = [Stamped() for _ in range(200)]
    for message in messages:
        connection.send(b"z" * 60_000, message)
    queued = bench.clock.now()
    assert messages[0].sent and not messages[-1].sent
    assert bench.sockets.unsent_bytes > 0
    gevent.sleep(0.05)
    begin.append(True)
    bench.until(lambda: messages[-1].sent)
    stamps = [message.sent for message in messages]
    assert stamps == sorted(stamps)
    assert stamps[-1] > queued
    assert bench.sockets.unsent_bytes == 0
    connection.reset()


def test_nothing_is_sent_after_the_end(bench):
    bench.connect(lambda peer: accept(peer))
    bench.until(lambda: bench.witness.endings)
    other = bench.connect(lambda peer: (accept(peer), read_to_end(peer)))
    bench.until(lambda: len(bench.witness.opening) == 2)
    other.reset()
    assert other.send(b"x") is False


def test_nothing_is_sent_to_an_endpoint_whose_close_came_with_the_message_that_is_to_be_answered(bench, monkeypatch):
    def behave(peer):
        accept(peer)
        fragments = text(b"la", fin=False) + Frame(Opcode.CONT, b"st").serialize(mask=False)
        peer.sendall(fragments + close_frame(1000))
        read_to_end(peer)

    answers = []
    monkeypatch.setattr(
        bench.witness, "received", lambda data, when: answers.append((data, connection.send(b"too late")))
    )
    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.endings)
    assert answers == [(b"last", False)]


@pytest.mark.parametrize(
    ("how", "peer_sees"),
    [
        ("close", "close frame"),
        ("fin", "end"),
        ("reset", "reset"),
        ("half-open", "silence"),
        ("stall", "silence"),
    ],
)
def test_each_way_of_dropping_looks_to_the_endpoint_as_it_should(bench, how, peer_sees):
    skip_unless_allowed(how)
    seen, dropped = [], []

    def behave(peer):
        accept(peer)
        until(lambda: dropped)
        peer.settimeout(0.5)
        try:
            socket.socket.recv(peer, 1, socket.MSG_PEEK)  # below TLS, whose reader takes a reset for an end
            data = peer.recv(100)
            seen.append("close frame" if data[:1] == b"\x88" else "end")
        except TimeoutError:
            seen.append("silence")
        except ConnectionResetError:
            seen.append("reset")

    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.opening)
    fault = inject(connection, how)
    dropped.append(True)
    bench.until(lambda: seen)
    assert seen == [peer_sees]
    assert fault.kind.holds_connection == (peer_sees == "silence")
    bench.until(lambda: bench.witness.endings)
    assert bench.witness.endings[0][0].closer is Closer.US
    if fault.kind.holds_connection:
        assert connection.socket.fileno() >= 0
        fault.lift()
        assert connection.socket.fileno() < 0
    assert len(bench.witness.endings) == 1


def test_a_half_open_socket_acknowledges_nothing(bench):
    skip_unless_allowed("half-open")
    unacked = []
    go = []

    def behave(peer):
        accept(peer)
        until(lambda: go)
        peer.sendall(text(b"are you there"))
        time.sleep(0.1)
        # tcpi_unacked of struct tcp_info (linux/tcp.h)
        unacked.append(struct.unpack_from("I", peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 24)[0])

    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.opening)
    inject(connection, "half-open")
    go.append(True)
    bench.until(lambda: unacked)
    assert unacked[0] > 0
    connection.reset()


def test_every_socket_is_given_back(bench):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        bench.connect(lambda peer: (accept(peer), peer.sendall(close_frame(1000)), read_to_end(peer)))
    bench.until(lambda: len(bench.witness.endings) == 5)
    gevent.sleep(LINGER_NS / 1e9 + 0.1)
    for thread in bench.threads:
        bench.until(lambda thread=thread: not thread.is_alive())
    assert len(os.listdir("/proc/self/fd")) <= before
