import pytest

pytest.importorskip("harness.chaos.payloads")

from harness.faults.injector import describe, most_held, strokes
from harness.plan import build_plan
from harness.plan.chaos import Fault

PLAN = build_plan(
    {
        "load": {"sessions": 40, "ramp_s": 1.0, "duration_s": 30.0},
        "chaos": [
            {"fault": "drop", "how": "reset", "every_s": 10.0, "count": 5},
            {"fault": "burst", "at_s": 5.0, "share": 0.25},
        ],
    }
)


def all_strokes(seed=1):
    return strokes(PLAN.chaos, 40, seed, 100, PLAN.load_end_s)


def test_the_same_seed_strikes_the_same_victims_in_every_process():
    assert all_strokes() == all_strokes()
    assert [stroke.session for stroke in all_strokes(1)] != [stroke.session for stroke in all_strokes(2)]


def test_nobody_is_struck_twice_before_everybody_was_struck_once():
    victims = [stroke.session for stroke in all_strokes()]
    assert len(victims) == 25
    assert len(set(victims)) == 25


def test_strokes_come_in_the_order_of_time_with_their_occurrence():
    found = [(stroke.due, stroke.index, stroke.occurrence) for stroke in all_strokes()]
    assert found == sorted(found)
    assert {stroke.occurrence for stroke in all_strokes() if stroke.index == 0} == {0, 1, 2}
    assert sum(stroke.index == 1 for stroke in all_strokes()) == 10


def test_faults_are_described_as_people_call_them():
    assert [describe(fault) for fault in PLAN.chaos] == ["drop reset", "burst"]


def held(hold_s, how="half-open", rank=0, processes=1, skipped=frozenset()):
    fault = {"fault": "drop", "how": how, "share": 0.5, "every_s": 10.0, "until_s": 25.0}
    if hold_s:
        fault["hold_s"] = hold_s
    plan = build_plan({"load": {"sessions": 40, "ramp_s": 1.0, "duration_s": 60.0}, "chaos": [fault]})
    return most_held(strokes(plan.chaos, 40, 1, 0, plan.load_end_s), rank, processes, skipped)


def test_silent_connections_are_counted_as_long_as_they_are_held_and_no_others():
    assert held(None) == held(11.0) == held(10.0, "stall") == 40
    assert held(9.0) == 20
    assert held(None, "reset") == 0
    assert held(None, skipped=frozenset({Fault.DROP_HALF_OPEN})) == 0


def test_each_process_counts_the_silent_connections_of_its_own_sessions():
    assert sum(held(None, rank=rank, processes=3) for rank in range(3)) == 40
    assert held(None, rank=1, processes=3) < 40
