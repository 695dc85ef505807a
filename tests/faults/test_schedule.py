"""Who is affected when: the same in every process, and counted for the process that owns the session."""

from itertools import islice

import pytest

from harness.faults.schedule import most_held, occurrences
from harness.plan import build_plan
from harness.schedule.mix import Mix

CHAOS = [
    {"fault": "drop", "how": "reset", "every_s": 10.0, "count": 5},
    {"fault": "burst", "at_s": 5.0, "share": 0.25},
]


def made(seed=1, chaos=CHAOS, **load):
    return build_plan(
        {"seed": seed, "load": {"sessions": 40, "ramp_s": 1.0, "duration_s": 30.0} | load, "chaos": chaos}
    )


def injections(seed=1, **load):
    return [each for occurrence in occurrences(made(seed, **load), 100) for each in occurrence.injections]


def test_the_same_seed_affects_the_same_sessions_in_every_process_and_another_seed_others():
    assert injections() == injections()
    assert [each.session for each in injections(1)] != [each.session for each in injections(2)]


def test_no_session_is_picked_again_until_all_have_been_picked():
    picked = [each.session for each in injections()]
    assert len(picked) == len(set(picked)) == 25
    again = [each.session for each in injections(duration_s=90.0)]
    assert len(again) == 55
    assert sorted(again[:40]) == list(range(40))
    assert again[40:] == again[:15]


def test_injections_come_in_the_order_of_time_with_their_occurrence():
    found = [(each.due, each.index, each.occurrence) for each in injections()]
    assert found == sorted(found)
    assert {each.occurrence for each in injections() if each.index == 0} == {0, 1, 2}
    assert sum(each.index == 1 for each in injections()) == 10


def test_faults_are_shown_by_what_and_how():
    assert [each.kind.title for each in islice(occurrences(made(), 0), 2)] == ["burst", "drop reset"]


def test_the_first_occurrences_of_thirty_years_are_had_without_the_rest():
    plan = made(duration_s=1e9)
    assert len(list(islice(occurrences(plan, 0), 3))) == 3


def held(hold_s, how="half-open", rank=0, processes=1, skipped=frozenset(), **load):
    fault = {"fault": "drop", "how": how, "share": 0.5, "every_s": 10.0, "until_s": 25.0}
    if hold_s:
        fault["hold_s"] = hold_s
    return most_held(made(chaos=[fault], **{"duration_s": 60.0} | load), rank, processes, skipped)


def test_held_connections_are_counted_as_long_as_they_are_held_and_no_others():
    assert held(None) == held(11.0) == held(10.0, "stall") == 40
    assert held(9.0) == 20
    assert held(None, "reset") == 0
    assert held(None, skipped=frozenset({"half-open"})) == 0


@pytest.mark.parametrize(
    ("load", "processes"),
    [({"sessions": 1000, "sessions_per_user": 4}, 3), ({"sessions": 1000, "sessions_per_user": 300}, 3), ({}, 3)],
)
def test_each_process_counts_the_held_connections_of_the_sessions_that_it_opens(load, processes):
    everybody = {"share": 1.0, "every_s": None, "at_s": 5.0, "fault": "drop", "how": "half-open"}
    plan = made(chaos=[{key: value for key, value in everybody.items() if value is not None}], **load)
    opened = [
        sum(len(crowd) for crowd in Mix(plan.load, 1).crowds(plan.load, rank, processes)) for rank in range(processes)
    ]
    assert [most_held(plan, rank, processes) for rank in range(processes)] == opened
    assert sum(opened) == plan.load.sessions
