import itertools
import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import PlanError
from harness.plan import Load, build_plan
from harness.schedule.arrivals import open_due_ns, stay_ns
from harness.units import SECOND

SHAPES = [{"shape": "constant"}, {"shape": "linear"}, {"shape": "steps", "steps": 5}, {"shape": "poisson"}]
START = 7 * SECOND


def load(sessions=100, ramp_s=10.0, **tables):
    return build_plan({"load": {"sessions": sessions, "ramp_s": ramp_s} | tables}).load


def dues(load, seed=1):
    return [open_due_ns(load, seed, START, number) for number in range(load.sessions)]


@pytest.mark.parametrize("arrivals", SHAPES)
@settings(deadline=None)
@given(sessions=st.integers(1, 300), ramp_s=st.floats(0, 100), seed=st.integers(0, 2**40))
def test_everybody_comes_within_the_ramp_whatever_the_shape(arrivals, sessions, ramp_s, seed):
    found = dues(load(sessions, ramp_s, arrivals=arrivals), seed)
    assert min(found) >= START
    assert max(found) <= START + math.ceil(ramp_s * SECOND)


@pytest.mark.parametrize("arrivals", SHAPES)
def test_a_ramp_of_nothing_means_all_at_once(arrivals):
    assert set(dues(load(ramp_s=0.0, arrivals=arrivals))) == {START}


def test_constant_arrivals_are_evenly_apart():
    assert dues(load(4, 2.0)) == [START + n * SECOND // 2 for n in range(4)]


def test_connects_per_second_say_how_long_the_ramp_is():
    found = dues(load(200, 1.0, arrivals={"per_s": 50.0}))
    assert [due - START for due in found[:3]] == [0, SECOND // 50, 2 * SECOND // 50]
    assert load(200, 1.0, arrivals={"per_s": 50.0}).open_over_s == 4.0


def test_linear_arrivals_come_at_a_rate_that_grows_from_nothing():
    found = dues(load(1000, 10.0, arrivals={"shape": "linear"}))
    first, second = (sum(START + lo <= due < START + lo + 5 * SECOND for due in found) for lo in (0, 5 * SECOND))
    assert (first, second) == (250, 750)


def test_steps_are_groups_all_at_once():
    found = dues(load(100, 10.0, arrivals={"shape": "steps", "steps": 4}))
    assert {due: found.count(due) for due in found} == {START + round(2.5 * SECOND * k): 25 for k in range(4)}


def test_poisson_arrivals_have_exponential_gaps_and_follow_the_seed():
    many = load(5000, 100.0, arrivals={"shape": "poisson"})
    found = sorted(dues(many, 3))
    gaps = [after - before for before, after in itertools.pairwise(found)]
    mean = statistics.mean(gaps)
    assert abs(statistics.stdev(gaps) / mean - 1) < 0.1
    assert abs(sum(gap > mean for gap in gaps) / len(gaps) - math.exp(-1)) < 0.03
    assert dues(many, 3) == dues(many, 3)
    assert dues(many, 3) != dues(many, 4)


def test_nobody_departs_unless_the_plan_says_so():
    assert stay_ns(load(), 1, 5, 0) is None


def test_stays_have_the_mean_and_the_spread_that_the_plan_names():
    def stays(shape):
        plan = load(departures={"shape": shape, "mean_s": 10.0})
        return [stay_ns(plan, 1, number, life) / SECOND for number in range(1000) for life in range(3)]

    assert set(stays("fixed")) == {10.0}
    uniform, exponential = stays("uniform"), stays("exponential")
    assert (min(uniform) >= 5.0, max(uniform) <= 15.0) == (True, True)
    assert abs(statistics.mean(uniform) - 10) < 0.3
    assert abs(statistics.mean(exponential) - 10) < 0.6
    assert abs(statistics.stdev(exponential) - 10) < 1.0
    assert len(set(exponential)) == 3000


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"arrivals": {"shape": "steps"}}, "load.arrivals: shape = \"steps\" and steps (how many groups) go together"),
        ({"arrivals": {"steps": 3}}, "go together"),
        ({"departures": {"shape": "fixed"}}, "load.departures: shape and mean_s go together"),
        ({"departures": {"mean_s": 3.0}}, "give both or neither"),
        ({"arrivals": {"wait_for_all": False}, "ramp_s": 30.0}, "the last session is due 30 s after the first"),
        ({"arrivals": {"per": 3}}, 'unknown key "load.arrivals.per"; did you mean "per_s"?'),
        ({"backoff_cap_s": 3.0}, '"load.backoff_cap_s" has moved: write reconnect.cap_s'),
    ],
)  # fmt: skip
def test_a_wrong_plan_says_what_is_wrong(table, text):
    with pytest.raises(PlanError) as error:
        build_plan({"load": table})
    assert text in str(error.value)


def test_messages_wait_for_the_last_arrival_unless_told_otherwise():
    assert build_plan({"load": {"sessions": 100, "arrivals": {"per_s": 10.0}}}).load_start_s == 10.5
    early = {"sessions": 100, "arrivals": {"per_s": 10.0, "wait_for_all": False}}
    assert build_plan({"load": early}).load_start_s == 0.5


def test_users_are_as_many_as_crowds():
    assert [Load(sessions=n, sessions_per_user=20).users for n in (1, 20, 21)] == [1, 1, 2]
