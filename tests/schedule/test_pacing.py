import itertools
import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.plan import build_plan
from harness.plan.shape import Ramp, Sine, Spike, Steps
from harness.schedule.pacing import NOT_YET, Every, Pacer, Random, Thinking, planned, seldom, spread
from harness.schedule.rate_curve import curve
from harness.units import SECOND

START = 5 * SECOND
rates = st.floats(0.1, 20)
spacings = st.sampled_from(["even", "poisson"])


@st.composite
def loads(draw, spacing=spacings, most_sessions=50):
    """A load of 1 to 20 s with any shape that has a rate."""
    duration = draw(st.floats(1, 20))
    rate = draw(st.just(0.0) | rates)
    kind = draw(st.sampled_from(["constant", "poisson", "ramp", "steps", "spike", "sine"]))
    how = {"spacing": draw(spacing)}
    part = st.floats(0.05, 0.95).map(lambda share: share * duration)
    shape = {
        "constant": {},
        "poisson": {},
        "ramp": how | {"to_per_s": draw(rates.filter(lambda to: to != rate)), "over_s": draw(st.none() | part)},
        "steps": how | {"then_per_s": draw(st.lists(st.just(0.0) | rates, min_size=1, max_size=4))},
        "spike": how
        | {"peak_per_s": draw(rates.filter(lambda to: to != rate)), "after_s": draw(part), "hold_s": draw(part)}
        | {"rise_s": draw(st.just(0.0) | part), "fall_s": draw(st.just(0.0) | part)},
        "sine": how | {"amplitude_per_s": max(rate, 0.1) * draw(st.floats(0.01, 1)), "period_s": draw(part)},
    }[kind]
    if kind == "sine":
        rate = max(rate, 0.1)
    sessions = draw(st.integers(1, most_sessions))
    if kind in ("constant", "poisson") and draw(spacing) == "poisson":
        kind = "poisson"
    plan = {"load": {"sessions": sessions, "rooms": 1, "rate_per_s": rate, "duration_s": duration,
                     "shape": {"shape": kind, **shape}}}  # fmt: skip
    return build_plan(plan).load


def pacer(load, seed=1, **more):
    return Pacer(load, seed, START, START + round(load.duration_s * SECOND), **more)


def integral(load, at_s):
    """How many messages of one session are due by then, in closed form from the plan's words."""
    shape, rate = load.shape, load.rate_per_s
    if isinstance(shape, Sine):
        turn = 2 * math.pi / shape.period_s
        return rate * at_s + shape.amplitude_per_s / turn * (1 - math.cos(turn * at_s))
    if isinstance(shape, Ramp):
        return rate * at_s + (shape.to_per_s - rate) * slope(at_s, shape.over_s or load.duration_s)
    if isinstance(shape, Steps):
        rates = [rate, *shape.then_per_s]
        step = shape.step_s or load.duration_s / len(rates)
        changes = zip(itertools.count(1), itertools.pairwise(rates))
        return rate * at_s + sum((after - before) * slope(at_s - n * step, 0) for n, (before, after) in changes)
    if isinstance(shape, Spike):
        fall = at_s - shape.after_s - shape.rise_s - shape.hold_s
        up, down = slope(at_s - shape.after_s, shape.rise_s), slope(fall, shape.fall_s)
        return rate * at_s + (shape.peak_per_s - rate) * (up - down)
    return rate * at_s


def slope(at_s, width_s):
    """The integral of what is 0 until 0, rises to 1 at `width_s`, and stays there."""
    return at_s**2 / (2 * width_s) if 0 < at_s < width_s else max(0.0, at_s - width_s / 2)


def dues(pace):
    """Every due time of a session."""
    return list(itertools.takewhile(lambda due: due is not None, map(pace.due_ns, itertools.count())))


def make(shape, *, sessions=1, rate=1.0, duration=10.0):
    load = {"sessions": sessions, "rooms": 1, "rate_per_s": rate, "duration_s": duration, "shape": shape}
    return build_plan({"load": load}).load


@given(loads(), st.integers(0, 2**63))
def test_due_times_never_go_back_and_lie_inside_the_load(load, seed):
    found = dues(pacer(load, seed).of(load.sessions - 1))
    assert found == sorted(found)
    assert all(START <= due < START + round(load.duration_s * SECOND) for due in found)


@given(loads(spacing=st.just("even"), most_sessions=12), st.floats(0, 1))
def test_what_all_sessions_have_sent_at_any_moment_is_the_integral_of_the_rate_give_or_take_one(load, share):
    if load.shape.__struct_config__.tag == "poisson":
        return
    all_of_them = pacer(load)
    at_s = share * load.duration_s
    sent = sum(planned(all_of_them.of(k), START + round(at_s * SECOND)) for k in range(load.sessions))
    # Constant pacing has a whole number of nanoseconds for an interval: that much off over the load. A sine is chords.
    swing = load.shape.amplitude_per_s * load.shape.period_s if isinstance(load.shape, Sine) else 0.0
    assert abs(sent - load.sessions * integral(load, at_s)) <= 1.01 + (1e-6 + 2e-5 * swing) * load.sessions


@pytest.mark.parametrize(
    "shape",
    [
        {"shape": "constant"},
        {"shape": "ramp", "to_per_s": 1.0, "over_s": 12.0},
        {"shape": "steps", "then_per_s": [9.0, 2.0], "step_s": 5.0},
        {"shape": "spike", "peak_per_s": 40.0, "after_s": 3.0, "hold_s": 4.0, "rise_s": 2.0, "fall_s": 6.0},
        {"shape": "sine", "amplitude_per_s": 3.0, "period_s": 7.0},
    ],
)
def test_so_many_messages_are_due_when_the_integral_of_the_rate_says_so(shape):
    load = make(shape, rate=4.0, duration=20.0)
    for tenth in range(1, 200):
        assert curve(load).when(integral(load, tenth / 10)) == pytest.approx(tenth / 10, abs=1e-3)


@given(loads(), st.integers(0, 100), st.lists(st.integers(0, 400), max_size=8))
def test_the_same_seed_gives_the_same_times_in_whatever_order_they_are_asked_for(load, seed, order):
    straight = dues(pacer(load, seed).of(load.sessions - 1))
    again = pacer(load, seed).of(load.sessions - 1)
    assert [again.due_ns(n) for n in order] == [straight[n] if n < len(straight) else None for n in order]


@pytest.mark.parametrize(
    "shape",
    [
        {"shape": "poisson"},
        {"shape": "sine", "amplitude_per_s": 4.0, "period_s": 20.0, "spacing": "poisson"},
        {"shape": "steps", "then_per_s": [0.0, 10.0], "spacing": "poisson"},
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_counts_are_the_integral_within_chance_and_as_scattered_as_poisson_says(shape, seed):
    load = make(shape, sessions=200, rate=4.0, duration=20.0)
    all_of_them = pacer(load, seed)
    counts = [len(dues(all_of_them.of(k))) for k in range(200)]
    expected = integral(load, 20.0)
    mean = sum(counts) / 200
    variance = sum((count - mean) ** 2 for count in counts) / 199
    assert abs(mean - expected) < 5 * math.sqrt(expected / 200)
    # The variance of a Poisson number is its mean; of 200 such, known to 10 % (one sigma).
    assert abs(variance / expected - 1) < 0.45


def test_gaps_of_a_poisson_session_are_exponential_and_another_seed_gives_other_ones():
    load = make({"shape": "poisson"}, rate=100.0, duration=100.0)
    found = [(due - START) / SECOND for due in dues(pacer(load).of(0))]
    gaps = [after - before for before, after in itertools.pairwise(found)]
    assert abs(sum(gap > 0.01 for gap in gaps) / len(gaps) - math.exp(-1)) < 0.03
    assert abs(sum(gap > 0.03 for gap in gaps) / len(gaps) - math.exp(-3)) < 0.02
    assert dues(pacer(load, seed=2).of(0))[:20] != dues(pacer(load).of(0))[:20]


def test_two_random_sessions_have_nothing_to_do_with_each_other():
    load = make({"shape": "poisson"}, sessions=100, rate=1.0, duration=100.0)
    all_of_them = pacer(load)
    busy = [{(due - START) // SECOND for due in dues(all_of_them.of(k))} for k in range(100)]
    together = sum(len(busy[k] & busy[k + 1]) for k in range(99)) / 99
    assert abs(together / (100 * (1 - math.exp(-1)) ** 2) - 1) < 0.1


@given(loads(spacing=st.just("even"), most_sessions=200).filter(lambda load: load.sessions > 1))
def test_sessions_do_not_speak_at_once_but_in_turn(load):
    if load.shape.__struct_config__.tag == "poisson":
        return
    firsts = [pacer(load).of(k).due_ns(0) for k in range(load.sessions)]
    spoken = [due for due in firsts if due is not None]
    assert spoken == sorted(spoken)
    assert len(set(spoken)) == len(spoken)


@given(st.integers(1, 500), rates, st.integers(0, 10**15))
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
    assert pacer(make({"shape": "poisson"}, rate=0.0)).of(0).due_ns(0) is None


@pytest.mark.parametrize(
    ("shape", "rate", "seconds"),
    [
        # by hand: a ramp from 0 to 4 over 10 s has sent 0.2 t^2 after t seconds
        ({"shape": "ramp", "to_per_s": 4.0}, 0.0, [0, 5**0.5, 10**0.5, 15**0.5, 20**0.5]),
        ({"shape": "ramp", "to_per_s": 0.0}, 1.0, [0, 10 - 80**0.5, 10 - 60**0.5, 10 - 40**0.5, 10 - 20**0.5]),
        ({"shape": "ramp", "to_per_s": 2.0, "over_s": 2.0}, 0.0, [0, 2**0.5, 2, 2.5, 3, 3.5]),
        ({"shape": "steps", "then_per_s": [2.0, 0.5]}, 1.0, [0, 1, 2, 3, 10 / 3 + 1 / 3, 10 / 3 + 5 / 6]),
        # the step of silence ends after 5 s, and who is due at its level speaks then
        ({"shape": "steps", "then_per_s": [1.0]}, 0.0, [5, 6, 7, 8, 9]),
        ({"shape": "spike", "peak_per_s": 4.0, "after_s": 2.0, "hold_s": 1.0}, 1.0, [0, 1, 2, 2.25, 2.5, 2.75, 3, 4]),
    ],
)
def test_shapes_are_due_when_arithmetic_by_hand_says(shape, rate, seconds):
    found = dues(pacer(make(shape, rate=rate)).of(0))
    assert [(due - START) / SECOND for due in found][: len(seconds)] == pytest.approx(seconds, abs=1e-8)


def test_a_sine_has_its_rush_in_the_first_half_of_each_period_and_loses_nothing_over_it():
    load = make({"shape": "sine", "amplitude_per_s": 10.0, "period_s": 10.0}, rate=10.0, duration=40.0)
    found = [(due - START) / SECOND for due in dues(pacer(load).of(0))]
    assert len(found) == 400
    # by hand: 10 x 5 + 10 x 10 / pi in the rising half, the rest of 100 in the other
    for period in range(4):
        rush = sum(period * 10 <= due < period * 10 + 5 for due in found)
        assert abs(rush - (50 + 100 / math.pi)) <= 1


def test_a_week_of_sine_needs_no_more_memory_than_a_minute():
    week = curve(make({"shape": "sine", "amplitude_per_s": 1.0, "period_s": 60.0}, rate=1.0, duration=7 * 86_400.0))
    assert len(week._pieces) == 256
    assert week.when(7 * 86_400 / 2) == pytest.approx(3.5 * 86_400)


def test_a_replay_deals_the_times_out_in_turn_and_each_exactly_once():
    times = array("q", (n * n for n in range(100)))
    load = make({"shape": "replay", "file": "x.csv"}, sessions=7)
    all_of_them = pacer(load, replayed_ns=times)
    found = [dues(all_of_them.of(k)) for k in range(7)]
    assert found[3] == [START + n * n for n in range(3, 100, 7)]
    assert sorted(itertools.chain(*found)) == [START + time for time in times]
    assert all(all_of_them.of(k).times_ns is times for k in range(7))


def test_a_replay_ends_with_the_load():
    load = make({"shape": "replay", "file": "x.csv"}, duration=1.0)
    assert len(dues(pacer(load, replayed_ns=array("q", [0, SECOND - 1, SECOND, 2 * SECOND])).of(0))) == 2


def test_a_thinking_session_waits_for_the_end_of_the_message_before():
    pace = Thinking(START, 2 * SECOND, START + 60 * SECOND)
    assert (pace.due_ns(0), pace.due_ns(1)) == (START, NOT_YET)
    pace.ended(0, START + 5 * SECOND)
    assert (pace.due_ns(0), pace.due_ns(1), pace.due_ns(2)) == (START + 7 * SECOND, START + 7 * SECOND, NOT_YET)
    pace.ended(0, START + 50 * SECOND)  # told twice: nothing changes
    assert pace.due_ns(1) == START + 7 * SECOND
    pace.ended(1, START + 59 * SECOND)
    assert pace.due_ns(2) is None


def test_who_is_away_puts_its_message_off_and_nothing_else():
    pace = Thinking(START, 2 * SECOND, START + 60 * SECOND)
    pace.put_off(START + 9 * SECOND)
    assert (pace.due_ns(0), pace.due_ns(1)) == (START + 9 * SECOND, NOT_YET)
    pace.put_off(START + 60 * SECOND)
    assert pace.due_ns(0) is None


def test_thinking_sessions_start_apart_and_think_as_long_as_told_on_the_mean():
    load = make({"shape": "think", "think_time_s": 2.0, "spread": "exponential"}, sessions=4, duration=1e6)
    all_of_them = pacer(load)
    assert [all_of_them.of(k).due_ns(0) - START for k in range(4)] == [k * SECOND // 2 for k in range(4)]
    pace, thought = all_of_them.of(1), []
    for n in range(2000):
        pace.ended(n, START)
        thought.append((pace.due_ns(n + 1) - START) / SECOND)
    assert abs(sum(thought) / 2000 - 2.0) < 0.2
    assert sum(time > 2.0 for time in thought) / 2000 == pytest.approx(math.exp(-1), abs=0.05)


@given(loads(), st.integers(0, 20))
def test_what_was_sent_and_what_is_left_make_what_was_planned(load, sent):
    pace, end = pacer(load).of(0), START + round(load.duration_s * SECOND)
    every = len(dues(pace))
    assert planned(pace, end) == every
    assert planned(pace, end, sent) == max(0, every - sent)


@given(loads(), st.integers(1, 7), st.integers(0, 7))
def test_every_so_manieth_is_every_so_manieth_of_the_same_times(load, step, first):
    assert isinstance(seldom(pacer(load).of(0), step, first), Every)
    assert dues(seldom(pacer(load).of(0), step, first)) == dues(pacer(load).of(0))[first::step]


def test_a_random_pace_holds_three_numbers_and_no_list():
    load = make({"shape": "poisson"}, rate=100.0, duration=1000.0)
    pace = pacer(load).of(0)
    pace.due_ns(20_000)
    assert isinstance(pace, Random)
    assert not hasattr(pace, "__dict__")
    assert all(isinstance(getattr(pace, name), int | float) for name in ("_n", "_total", "_key"))


def test_every_second_message_of_a_closed_loop_cannot_be_counted_out_and_the_way_is_told():
    with pytest.raises(UsageError, match="seldom"):
        Every(Thinking(0, 5, 100), 2)


def test_in_a_closed_loop_more_seldom_is_thinking_longer():
    load = make({"shape": "think", "think_time_s": 2.0}, duration=60.0)
    pace = seldom(pacer(load).of(0), 5, 2)
    assert isinstance(pace, Thinking)
    assert (pace.due_ns(0), pace.due_ns(1)) == (START + 4 * SECOND, NOT_YET)
    pace.ended(0, START + 5 * SECOND)
    assert pace.due_ns(1) == START + 15 * SECOND
