"""What had arrived before a write failed: it is read first, and a close frame in it says why the connection ended."""

import errno
import socket
import struct
import time

import gevent
import pytest

from harness.record.row import Closer, Outcome
from tests.transport.serving import accept, close_frame, text
from tests.waiting import until


def connect(bench, *frames, received=None):
    """A connection to an endpoint that has sent these frames and reset it, none of which has been looked at yet."""
    go, gone = [], []

    def behave(peer):
        accept(peer)
        until(lambda: go)
        peer.sendall(b"".join(frames))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        gone.append(True)

    if received is not None:
        bench.witness.received = received
    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.opening)
    go.append(True)
    while not gone:
        time.sleep(0.001)  # not in the hub: nothing is read meanwhile
    time.sleep(0.02)
    return connection


class Stamped:
    sent = 0


def test_a_close_frame_that_came_before_the_reset_says_why_the_connection_ended(bench):
    connection = connect(bench, text(b"last words"), close_frame(1012, "restart"))
    message = Stamped()
    assert connection.send(b"too late", message)
    assert not bench.witness.endings  # never from within a send
    bench.until(lambda: bench.witness.endings)
    (end, _), *more = bench.witness.endings
    assert (end.closer, end.code, end.reason) == (Closer.ENDPOINT, 1012, "restart")
    assert [data for data, _ in bench.witness.messages] == [b"last words"]
    assert (message.sent, more, bench.sockets.unsent_bytes) == (0, [], 0)


@pytest.mark.parametrize("frames", [(), (text(b"one"), text(b"two"))])
def test_without_a_close_frame_it_is_the_reset_that_ended_it(bench, frames):
    connection = connect(bench, *frames)
    connection.send(b"too late")
    connection.send(b"nor this")
    bench.until(lambda: bench.witness.endings)
    (end, _) = bench.witness.endings[0]
    assert (end.closer, end.outcome) == (Closer.RESET, Outcome.CLOSED)
    assert end.code in (errno.ECONNRESET, errno.EPIPE)
    assert len(bench.witness.messages) == len(frames)


def test_what_takes_several_reads_is_read_to_its_close_frame(bench, monkeypatch):
    connection = connect(bench, *[text(b"x" * 1000)] * 5, close_frame(1001))
    monkeypatch.setattr(bench.sockets, "receive", lambda sock: bench.sockets.receive_late(sock, 700))
    connection.send(b"too late")
    bench.until(lambda: bench.witness.endings)
    (end, _) = bench.witness.endings[0]
    assert (end.closer, end.code, end.outcome) == (Closer.ENDPOINT, 1001, Outcome.OK)
    assert len(bench.witness.messages) == 5


def test_an_answer_that_cannot_be_sent_hides_nothing_that_came_with_its_question(bench):
    heard = []

    def received(data, when):
        heard.append((data, connection.send(b"answer")))

    connection = connect(bench, text(b"one"), text(b"two"), close_frame(1012), received=received)
    bench.until(lambda: bench.witness.endings)
    (end, _) = bench.witness.endings[0]
    assert heard == [(b"one", True), (b"two", True)]
    assert (end.closer, end.code) == (Closer.ENDPOINT, 1012)


def test_a_connection_that_is_broken_on_purpose_meanwhile_is_not_read_again(bench):
    connection = connect(bench, text(b"late"), close_frame(1012))
    connection.send(b"too late")
    connection.silence()
    gevent.sleep(0.05)
    (end, _) = bench.witness.endings[0]
    assert (end.closer, bench.witness.messages) == (Closer.US, [])
    connection.reset()
