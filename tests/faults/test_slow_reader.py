"""The slow reader: its window fills while it lasts, and everything arrives after the lift."""

import pytest

from harness.faults.fault import Target, handler_of
from harness.plan import build_plan
from harness.record.row import Kind
from harness.units import SECOND
from tests.faults.test_injector import FakeRun
from tests.transport.conftest import Bench
from tests.transport.flood import MESSAGE_BYTES, MESSAGES, Flood

PER_S = 20_000
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
    flood = Flood(bench)
    act = build_plan({"chaos": [SLOW]}).chaos[0]
    fault = handler_of(act)(act, Target(None, flood.connection, 0, None, lambda: None))
    begun = bench.clock.now()
    fault.inject()
    flood.begin()
    bench.until(lambda: len(bench.witness.messages) >= 10)
    assert len(bench.witness.messages) * MESSAGE_BYTES <= PER_S * (bench.clock.now() - begun) / SECOND
    bench.until(lambda: flood.is_stuck)
    assert len(flood.sent) < MESSAGES
    fault.lift()
    bench.until(lambda: bench.witness.endings)
    assert [int(data) for data, _ in bench.witness.messages] == list(range(MESSAGES))
