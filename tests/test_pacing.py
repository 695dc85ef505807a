import itertools

from hypothesis import given
from hypothesis import strategies as st

from harness.pacing import SECOND, open_due_ns, spread


@given(st.integers(1, 500), st.floats(0.1, 100), st.integers(0, 10**15))
def test_sessions_speak_evenly_and_never_all_at_once(sessions, rate, start):
    interval = round(SECOND / rate)
    firsts = sorted(spread(rate, start, start + 10**18, n, sessions).due_ns(0) for n in range(sessions))
    assert firsts[0] == start
    assert firsts[-1] < start + interval
    gaps = [after - before for before, after in itertools.pairwise(firsts)]
    assert all(abs(gap - interval / sessions) <= 1 for gap in gaps)


@given(st.floats(0.1, 1000), st.integers(0, 10_000))
def test_due_times_are_absolute_multiples_of_the_interval(rate, n):
    pace = spread(rate, 7, 1 << 62, 0, 1)
    assert pace.due_ns(n) == 7 + n * round(SECOND / rate)


def test_nothing_is_due_at_or_after_the_end():
    pace = spread(1, 0, 3 * SECOND, 0, 1)
    assert [pace.due_ns(n) for n in range(4)] == [0, SECOND, 2 * SECOND, None]


def test_a_rate_of_zero_is_never_due():
    assert spread(0, 0, SECOND, 0, 1).due_ns(0) is None


def test_openings_spread_over_the_ramp():
    assert [open_due_ns(100, 2.0, n, 4) for n in range(4)] == [100 + n * SECOND // 2 for n in range(4)]
    assert open_due_ns(100, 0.0, 3, 4) == 100
