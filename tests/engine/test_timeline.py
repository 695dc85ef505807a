"""The time line of a run on a clock that stands still, with a roster that only remembers."""

import pytest

from harness.engine.timeline import DEPART_AT_MOST_NS, LOOK_EVERY_NS, Timeline
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
    def __init__(self, clock, sessions=3, stays=False, answered_ns=0):
        self.clock = clock
        self.sessions = [Leaver(clock, stays) for _ in range(sessions)]
        self.load_over_at = []
        self.given_up_at = []
        self.answered_ns = answered_ns
        """When the last answer comes, after the end of the load."""

    def expects(self):
        return self.clock.now() < self.load_over_at[0] + self.answered_ns

    def give_up(self):
        self.given_up_at.append(self.clock.now())

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
    clock.advance(line.load_end_ns + line.settle_ns + line.depart_ns - clock.now() - 1)
    assert not line.over.is_set()
    clock.advance(SECOND)
    assert line.over.is_set()
    assert line.depart_ns > 10 * SECOND  # a leave may take as long as any answer


def test_sessions_of_an_interrupted_run_have_less_time_to_leave(make):
    line, clock, people, _ = make(stays=True)
    line.interrupt()
    clock.advance(line.settle_ns + DEPART_AT_MOST_NS + SECOND)
    assert line.over.is_set()


@pytest.mark.parametrize("answered_s", [0, 2.9, 3.0, 3.1, 9.95, 11.9])
def test_listening_lasts_until_everything_is_answered_and_no_less_than_it_should(make, answered_s):
    line, clock, people, told = make(answered_ns=round(answered_s * SECOND))
    clock.advance(200 * SECOND)
    ended = told[0] - line.load_end_ns
    least = max(line.settle_ns, people.answered_ns)
    assert least <= ended < least + LOOK_EVERY_NS
    assert people.given_up_at == []


def test_nobody_is_listened_to_for_longer_than_an_answer_may_take(make):
    line, clock, people, told = make(answered_ns=1000 * SECOND)
    clock.advance(200 * SECOND)
    assert 10 * SECOND < told[0] - line.load_end_ns < 13 * SECOND
    assert people.given_up_at == []  # the sessions wait for what is left


@pytest.mark.parametrize("after_s", [-5.0, 1.0, 5.0])
def test_an_interrupted_run_listens_no_longer_and_gives_up_what_is_open(make, after_s):
    line, clock, people, told = make(answered_ns=1000 * SECOND)
    clock.advance(line.load_end_ns + round(after_s * SECOND) - clock.now())
    line.interrupt()
    ended = max(clock.now() if after_s > 0 else 0, line.load_end_ns + line.settle_ns)
    clock.advance(200 * SECOND)
    assert ended <= told[0] <= ended + LOOK_EVERY_NS
    assert people.given_up_at == told


def test_a_load_that_is_ended_on_time_by_somebody_else_is_listened_to_as_planned(make):
    line, clock, people, told = make(answered_ns=8 * SECOND)
    clock.advance(line.load_end_ns - clock.now() - SECOND)
    line.end_load()
    now = clock.now()
    line.end_load()
    clock.advance(200 * SECOND)
    assert (line.interrupted, line.load_end_ns, people.load_over_at) == (False, now, [now])
    assert (told[0] >= now + 8 * SECOND, people.given_up_at) == (True, [])
