"""The slow reader: its window fills while it lasts, and everything arrives after the lift."""

import select
import socket

import pytest

from harness.faults.fault import Target, handler_of
from harness.plan import build_plan
from harness.record.row import Kind
from harness.units import SECOND
from tests.faults.test_injector import FakeRun
from tests.transport.conftest import Bench
from tests.transport.serving import accept, close_frame, read_to_end, text
from tests.waiting import until

PER_S, MESSAGE_BYTES, MESSAGES = 20_000, 1000, 1000
BUFFER_BYTES = 1 << 14
SLOW = {"fault": "slow-reader", "bytes_per_s": PER_S, "at_s": 2.0, "count": 1}


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.finish()


def test_it_lasts_for_its_time_and_leaves_the_connection_to_the_session():
    run = FakeRun(SLOW | {"hold_s": 3.0}).at(4.9)
    (affected,) = [session for session in run.sessions.values() if session.calls]
    assert (affected.calls, run.injector.held, run.seen(Kind.LIFT)) == (["limit_reading"], 0, [])
    run.at(5.1)
    assert affected.calls == ["limit_reading"] * 2
    assert [row[3] for row in run.seen(Kind.LIFT)] == [8]


def test_its_window_fills_and_everything_arrives_after_the_lift(bench):
    go, sent, peers = [], [], []

    def behave(peer):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        accept(peer)
        peers.append(peer)
        until(lambda: go)
        for number in range(MESSAGES):
            peer.sendall(text(b"%*d" % (MESSAGE_BYTES, number)))
            sent.append(number)
        peer.sendall(close_frame(1000))
        read_to_end(peer)

    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.opening)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    act = build_plan({"chaos": [SLOW]}).chaos[0]
    fault = handler_of(act)(act, Target(None, connection, 0, None, lambda: None))
    begun = bench.clock.now()
    fault.inject()
    go.append(True)
    bench.until(lambda: len(bench.witness.messages) >= 10)
    assert len(bench.witness.messages) * MESSAGE_BYTES <= PER_S * (bench.clock.now() - begun) / SECOND
    bench.until(lambda: not select.select([], [peers[0]], [], 0)[1])
    assert len(sent) < MESSAGES
    fault.lift()
    bench.until(lambda: bench.witness.endings)
    assert [int(data) for data, _ in bench.witness.messages] == list(range(MESSAGES))
