"""Who plays what: exact shares, the same everywhere, and nothing to do with rooms or processes."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import PlanError
from harness.plan import build_plan
from harness.schedule.mix import Mix


def make(mix, sessions=1000, seed=1):
    return Mix(build_plan({"load": {"mix": mix, "sessions": sessions}}).load, seed)


def test_without_a_mix_everybody_plays_the_scenario():
    load = build_plan({"load": {"scenario": "ticker"}}).load
    mix = Mix(load, 1)
    assert mix.names == ("ticker",)
    assert {mix.of(number) for number in range(100)} == {0}
    assert mix.table(100) == []


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), min_size=2), st.integers(1, 5))
def test_every_round_has_each_scenario_by_its_weight(weights, rounds):
    total = sum(weights.values())
    mix = make(weights, sessions=total * rounds)
    found = Counter(mix.names[mix.of(number)] for number in range(total * rounds))
    assert found == {name: weight * rounds for name, weight in weights.items()}


def test_weights_are_ratios():
    assert make({"a": 200, "b": 100}).table(900) == make({"a": 2, "b": 1}).table(900)


def test_the_same_plan_and_seed_deal_the_same_and_another_seed_does_not():
    weights = {"a": 2, "b": 1, "c": 1}
    assert make(weights).table(1000) == make(weights).table(1000)
    assert make(weights).table(1000) != make(weights, seed=2).table(1000)


def test_neighbours_by_number_modulo_anything_do_not_all_play_the_same():
    mix = make({"a": 2, "b": 1, "c": 1})
    for modulus in (2, 4, 5, 8):
        for rest in range(modulus):
            assert {mix.of(number) for number in range(rest, 1000, modulus)} == {0, 1, 2}


def test_a_seat_taken_again_plays_what_it_played():
    mix = make({"a": 1, "b": 1}, sessions=10)
    assert mix.of(3) == mix.of(13)


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 5))
def test_each_process_has_the_sessions_of_as_many_users_as_locust_gives_it(users, per_user, processes):
    load = build_plan({"load": {"sessions": users * per_user, "sessions_per_user": per_user, "rooms": 1}}).load
    dealt = [list(Mix(load, 1).crowds(load, rank, processes)) for rank in range(processes)]
    # Locust deals its users to the workers one by one, beginning with the first.
    assert list(map(len, dealt)) == [len(range(rank, users, processes)) for rank in range(processes)]
    assert {len(crowd) for crowds in dealt for crowd in crowds} == {per_user}
    numbers = [number for crowds in dealt for crowd in crowds for number in crowd]
    assert sorted(numbers) == list(range(users * per_user))


@given(st.integers(1, 40), st.integers(1, 7))
def test_one_process_has_all_sessions_and_its_last_crowd_may_be_smaller(sessions, per_user):
    load = build_plan({"load": {"sessions": sessions, "sessions_per_user": per_user, "rooms": 1}}).load
    crowds = list(Mix(load, 1).crowds(load, 0, 1))
    assert [number for crowd in crowds for number in crowd] == list(range(sessions))
    assert len(crowds) == load.users


def test_a_weight_of_nothing_and_too_many_scenarios_are_errors():
    with pytest.raises(PlanError, match=r"load\.mix"):
        make({"a": 0, "b": 1})
    with pytest.raises(PlanError, match="at most 16"):
        make({f"s{number}": 1 for number in range(17)})
