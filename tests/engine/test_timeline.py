"""The time line of a run on a clock that stands still, with a roster that only remembers."""

import pytest

from harness.engine.timeline import DEPART_AT_MOST_NS, Timeline
from harness.plan import build_plan
from harness.transport.clock import FakeClock
from harness.units import SECOND

START = 10 * SECOND


class Leaver:
    def __init__(self, clock, stays):
        self.clock, self.stays, self.is_open, self.left_at = clock, stays, True, None

    def depart(self):
        self.left_at = self.clock.now()
        self.is_open = self.stays


class Roster:
    def __init__(self, clock, sessions=3, stays=False):
        self.sessions = [Leaver(clock, stays) for _ in range(sessions)]
        self.load_over_at = []

    def load_over(self, now):
        self.load_over_at.append(now)

    def open_sessions(self):
        return [session for session in self.sessions if session.is_open]


@pytest.fixture
def make():
    def make(**roster):
        plan = build_plan({"load": {"sessions": 4, "rooms": 1, "ramp_s": 2.0, "duration_s": 20.0, "settle_s": 3.0}})
        clock = FakeClock(START)
        told = []
        people = Roster(clock, **roster)
        line = Timeline(plan, START, clock, people, lambda: told.append(clock.now()))
        line.begin()
        return line, clock, people, told

    return make


def test_load_settling_and_departing_follow_each_other(make):
    line, clock, people, told = make()
    assert line.is_loading
    clock.advance(line.load_end_ns - clock.now() - 1)
    assert (line.is_loading, people.load_over_at) == (True, [])
    clock.advance(1)
    assert (line.is_loading, line.is_load_over, people.load_over_at) == (False, True, [line.load_end_ns])
    clock.advance(line.settle_ns - 1)
    assert (line.is_departing, told) == (False, [])
    clock.advance(1)
    assert (line.is_departing, told) == (True, [line.load_end_ns + line.settle_ns])
    assert [session.left_at for session in people.sessions] == told * 3
    assert line.over.is_set()


def test_an_interruption_ends_the_load_now_and_settles_all_the_same(make):
    line, clock, people, told = make()
    clock.advance(5 * SECOND)
    now = clock.now()
    line.interrupt()
    assert (line.interrupted, line.load_end_ns, people.load_over_at) == (True, now, [now])
    clock.advance(100 * SECOND)
    assert (people.load_over_at, told) == ([now], [now + line.settle_ns])


def test_a_run_that_is_broken_off_never_departs(make):
    line, clock, people, told = make()
    line.break_off()
    assert (line.is_loading, line.is_departing) == (False, True)
    clock.advance(100 * SECOND)
    assert (people.load_over_at, told, people.sessions[0].left_at) == ([], [], None)


def test_many_sessions_leave_over_a_second_and_not_at_once(make):
    line, clock, people, _ = make(sessions=1_000)
    clock.advance(line.load_end_ns + line.settle_ns - clock.now())
    gone = sum(session.left_at is not None for session in people.sessions)
    assert 0 < gone < 100
    clock.advance(2 * SECOND)
    assert not people.open_sessions()
    assert line.over.is_set()


def test_sessions_that_do_not_close_are_not_waited_for_for_ever(make):
    line, clock, people, _ = make(stays=True)
    clock.advance(line.load_end_ns + line.settle_ns + DEPART_AT_MOST_NS - clock.now() - 1)
    assert not line.over.is_set()
    clock.advance(SECOND)
    assert line.over.is_set()
