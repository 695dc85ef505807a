from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import PlanError
from harness.plan import build_plan
from harness.schedule.rooms import Rooms, sizes

ROOMLESS = {
    "url": "ws://127.0.0.1:1/x",
    "dialect": "json",
    "json": {"publish": {"body": "{text}"}, "delivery": {"match": {"body": "*"}}, "acks": "none"},
}


def make(room_sizes, *, sessions=100, rooms=10):
    load = {"sessions": sessions, "rooms": rooms, "room_sizes": room_sizes}
    return build_plan({"load": load, "endpoint": ROOMLESS}).load


@st.composite
def loads(draw):
    sessions = draw(st.integers(2, 120))
    kind = draw(st.sampled_from(["equal", "zipf", "giant", "fixed", "own", "none"]))
    rooms = draw(st.integers(2, min(40, sessions)))
    per = draw(st.integers(1, min(4, rooms - 1)))
    plan = {"sizes": kind}
    if kind not in ("own", "none"):
        plan["per_session"] = per
    if kind == "zipf":
        plan["exponent"] = draw(st.floats(0, 3))
    elif kind == "giant":
        small, large = max(1, sessions * per - (rooms - 1) * sessions), min(sessions, sessions * per - (rooms - 1))
        plan["share"] = draw(st.integers(min(small, large), large)) / sessions
    elif kind == "fixed":
        plan["members"] = sizes(make({"sizes": "zipf", "per_session": per}, sessions=sessions, rooms=rooms))
    return make(plan, sessions=sessions, rooms=rooms)


@given(loads(), st.integers(0, 10**6))
def test_every_session_is_in_so_many_different_rooms_and_every_room_has_its_size(load, seed):
    rooms = Rooms(load, seed)
    found = [rooms.of(number) for number in range(load.sessions)]
    wanted = getattr(load.room_sizes, "per_session", len(found[0]))
    assert all(len(mine) == len(set(mine)) == wanted for mine in found)
    counted = Counter(room for mine in found for room in mine)
    assert [counted[room] for room in range(rooms.count)] == sizes(load)
    assert sum(sizes(load)) == wanted * load.sessions


@given(loads(), st.integers(0, 10**6))
def test_the_same_seed_puts_everybody_into_the_same_rooms_in_every_process(load, seed):
    one, other = Rooms(load, seed), Rooms(load, seed)
    assert [one.of(number) for number in range(load.sessions)] == [other.of(number) for number in range(load.sessions)]


def test_another_seed_mixes_people_otherwise():
    load = make({"sizes": "zipf"})
    assert [Rooms(load, 1).of(n) for n in range(100)] != [Rooms(load, 2).of(n) for n in range(100)]


def test_equal_rooms_go_round_by_number():
    rooms = Rooms(make({"sizes": "equal"}, sessions=10, rooms=3), 1)
    assert [rooms.of(number) for number in range(5)] == [(0,), (1,), (2,), (0,), (1,)]


def test_equal_rooms_differ_by_one_at_most():
    assert sizes(make({"sizes": "equal"}, sessions=10, rooms=3)) == [4, 3, 3]


def test_zipf_sizes_fall_with_the_rank_as_the_exponent_says():
    found = sizes(make({"sizes": "zipf", "exponent": 1.0}, sessions=10_000, rooms=100))
    assert found == sorted(found, reverse=True)
    harmonic = sum(1 / rank for rank in range(1, 101))
    for rank in (1, 2, 10, 100):
        assert found[rank - 1] == pytest.approx(1 + 9_900 / harmonic / rank, abs=1)
    assert sizes(make({"sizes": "zipf", "exponent": 0.0}, sessions=100, rooms=10)) == [10] * 10
    steep = sizes(make({"sizes": "zipf", "exponent": 3.0}, sessions=10_000, rooms=100))
    assert steep[0] > 8_000
    assert min(steep) >= 1


def test_a_room_is_never_larger_than_everybody():
    found = sizes(make({"sizes": "zipf", "exponent": 5.0, "per_session": 3}, sessions=50, rooms=10))
    assert found[:2] == [50, 50]
    assert sum(found) == 150


def test_the_giant_room_holds_its_share_and_the_others_are_small_and_equal():
    assert sizes(make({"sizes": "giant", "share": 0.8}, sessions=1000, rooms=11)) == [800, *[20] * 10]


def test_rooms_with_several_a_session_do_not_have_the_same_people_because_of_their_numbers():
    load = make({"sizes": "equal", "per_session": 2}, sessions=100, rooms=10)
    rooms = Rooms(load, 1)
    people = [{n for n in range(100) if room in rooms.of(n)} for room in range(10)]
    assert all(len(people[a] & people[b]) <= 12 for a in range(10) for b in range(a))


def test_the_people_of_a_room_are_spread_over_the_ramp():
    load = make({"sizes": "giant", "share": 0.5}, sessions=1000, rooms=2)
    rooms = Rooms(load, 1)
    early = sum(rooms.of(number) == (0,) for number in range(500))
    assert 200 < early < 300


def test_a_room_of_ones_own_is_shared_with_nobody_and_needs_no_number_of_rooms():
    load = make({"sizes": "own"}, sessions=100, rooms=3)
    rooms = Rooms(load, 1)
    assert (rooms.count, load.room_count) == (100, 100)
    assert len({rooms.of(number) for number in range(100)}) == 100


@given(loads(), st.integers(0, 10**6))
def test_each_room_that_has_anybody_has_one_leader_who_is_the_first_of_its_people(load, seed):
    rooms = Rooms(load, seed)
    led = {room: number for number in range(load.sessions) for room in rooms.led_by(number)}
    people = [[n for n in range(load.sessions) if room in rooms.of(n)] for room in range(rooms.count)]
    assert led == {room: min(numbers) for room, numbers in enumerate(people) if numbers}
    assert sum(len(rooms.led_by(number)) for number in range(load.sessions)) == len(led)


def test_no_room_is_no_room():
    rooms = Rooms(make({"sizes": "none"}), 1)
    assert (rooms.count, rooms.of(7)) == (0, ())


def test_ten_thousand_memberships_take_four_bytes_each():
    rooms = Rooms(make({"sizes": "zipf", "per_session": 2}, sessions=5_000, rooms=50), 1)
    assert rooms._table.itemsize * len(rooms._table) == 40_000


@pytest.mark.parametrize(
    ("room_sizes", "rooms", "said"),
    [
        ({"sizes": "equal", "per_session": 4}, 3, "cannot be in 4 rooms, there are 3"),
        ({"sizes": "zipf"}, 11, "11 rooms cannot all have somebody in them: there are 10 members"),
        ({"sizes": "giant"}, 1, "at least 2 rooms"),
        ({"sizes": "giant", "share": 1.0}, 2, "0 memberships are left for 1 rooms"),
        ({"sizes": "giant", "share": 0.1, "per_session": 2}, 2, "19 memberships are left for 1 rooms"),
        ({"sizes": "fixed", "members": [5, 5]}, 3, "it is 3, but load.room_sizes.members names 2 rooms"),
        ({"sizes": "fixed", "members": [5, 6]}, 2, r"add up to 11, not to 10 \(10 sessions x 1\)"),
        ({"sizes": "fixed", "members": [12, 8], "per_session": 2}, 2, "12 is more than the 10 sessions"),
        ({"sizes": "own", "per_session": 2}, 3, 'unknown key "load.room_sizes.per_session"'),
        ({"sizes": "zip"}, 3, "load.room_sizes.sizes"),
    ],
)
def test_what_cannot_be_put_into_rooms_is_refused_in_one_line(room_sizes, rooms, said):
    with pytest.raises(PlanError, match=said) as caught:
        make(room_sizes, sessions=10, rooms=rooms)
    assert "\n" not in str(caught.value)
