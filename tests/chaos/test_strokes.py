import pytest

pytest.importorskip("harness.chaos.payloads")

from harness.chaos.conductor import describe, strokes
from harness.plan import build_plan

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
