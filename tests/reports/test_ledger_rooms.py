"""The ledger where sessions are in several rooms, or in none."""

import pytest

from harness.record.row import NO_ROOM, Flag, Kind
from reports import words

from .conftest import on_the_page, on_the_terminal

ELSEWHERE = {"room": NO_ROOM, "flags": Flag.EXACT | Flag.ELSEWHERE}
ANY_JSON = {
    "url": "ws://127.0.0.1:1/",
    "dialect": "json",
    "json": {"acks": "delivery", "publish": {"n": "{id}"}, "delivery": {"match": {}, "id": "n", "room": "wher"}},
}


def test_a_session_in_several_rooms_is_owed_what_each_of_them_hears_and_nothing_else(make):
    run = make()
    run.member(0, 1, 2, room=0)
    run.join(1, room=1).join(2, room=1)
    run.publish(1, 1, 2000, room=0)
    run.publish(1, 2, 2100, room=1)
    for receiver, seq, room in ((0, 1, 0), (1, 1, 0), (2, 1, 0), (1, 2, 1)):
        run.deliver(receiver, 1, seq, 2200, room=room)
    run.deliver(0, 1, 2, 2300, room=1)  # session 0 is in room 0 only
    books = run.report()["ledger"]["all"]
    assert (books["owed"], books["paid"], books["lost"], books["leaked"]) == (5, 4, 1, 1)


def test_without_rooms_an_echo_is_no_leak_and_nothing_is_owed(make):
    run = make().open(0).open(1)
    run.publish(0, 1, 2000, room=NO_ROOM).deliver(0, 0, 1, 2005, room=NO_ROOM)
    run.publish(1, 1, 2000, room=NO_ROOM)
    report = run.report()
    assert report["ledger"]["all"]["owed"] == 0
    assert report["finding_counts"]["leaked"] == 0


def test_without_rooms_nobody_misses_their_names(make):
    run = make(endpoint=ANY_JSON).open(0)
    report = run.publish(0, 1, 2000, room=NO_ROOM).deliver(0, 0, 1, 2005, room=NO_ROOM).report()
    assert report["ledger"]["named"] is None
    assert "\nrooms " not in on_the_terminal(report)


def test_without_rooms_what_reaches_somebody_else_is_a_leak(make):
    run = make().open(0).open(1)
    run.publish(0, 1, 2000, room=NO_ROOM).deliver(1, 0, 1, 2005, room=NO_ROOM)
    assert run.report()["finding_counts"]["leaked"] == 1


def test_a_delivery_that_names_a_room_of_nobodys_has_leaked_where_the_others_name_their_own(make):
    run = make().member(0, 1, 2)
    run.publish(0, 1, 2000).deliver(0, 0, 1, 2005).deliver(1, 0, 1, 2005).deliver(2, 0, 1, 2005, **ELSEWHERE)
    report = run.report()
    assert (report["ledger"]["all"]["paid"], report["finding_counts"]["leaked"]) == (3, 1)
    assert report["ledger"]["named"] == {"planned": 2, "others": 1, "none": 0}
    assert "\nrooms " not in on_the_terminal(report)


def test_where_every_delivery_names_rooms_in_its_own_way_that_is_said_and_not_judged(make):
    run = make().member(0, 1)
    run.recorder.evidence(1, "elsewhere", 0, "acme:room-0")
    run.publish(0, 1, 2000).deliver(0, 0, 1, 2005, **ELSEWHERE).deliver(1, 0, 1, 2005, **ELSEWHERE)
    report = run.report()
    assert report["finding_counts"]["leaked"] == 0
    said = words.ROOMS_OF_ITS_OWN.format(example=words.ROOMS_EXAMPLE.format(text="acme:room-0"))
    assert said in on_the_terminal(report)
    assert "Rooms: " in on_the_page(report)


def test_a_path_at_which_no_delivery_has_a_room_is_named(make):
    run = make(endpoint=ANY_JSON).member(0, 1)
    run.publish(0, 1, 2000).deliver(0, 0, 1, 2005, room=NO_ROOM).deliver(1, 0, 1, 2005, room=NO_ROOM)
    assert words.NO_ROOM_AT_PATH.format(path="wher") in on_the_terminal(run.report())


def implicit(run, session, kind, sent, arrived):
    return run.row(kind, session=session, room=0, sent=sent, arrived=arrived, flags=Flag.IMPLICIT)


@pytest.mark.parametrize(("arrived", "leaked"), [(11, 0), (12, 0), (10, 1)])
def test_without_joins_what_arrives_from_the_answer_to_the_upgrade_on_is_rightful(make, arrived, leaked):
    run = make().member(0).open(1, at=10)  # its answer arrived at 11
    implicit(run, 1, Kind.JOIN, 11, 11)
    run.publish(0, 1, 9).deliver(0, 0, 1, 30).deliver(1, 0, 1, arrived)
    assert run.report()["finding_counts"]["leaked"] == leaked


@pytest.mark.parametrize(("flags", "leaked"), [(Flag.IMPLICIT, 0), (Flag.EXACT, 1)])
def test_who_leaves_without_a_word_may_hear_more_and_is_owed_nothing(make, flags, leaked):
    run = make().member(0).open(1)
    implicit(run, 1, Kind.JOIN, 11, 11)
    run.row(Kind.LEAVE, session=1, room=0, sent=5000, arrived=5001, flags=flags)
    run.publish(0, 1, 5100).deliver(0, 0, 1, 5110).deliver(1, 0, 1, 5110)
    run.publish(0, 2, 5200).deliver(0, 0, 2, 5210)
    report = run.report()
    assert (report["finding_counts"]["leaked"], report["finding_counts"]["lost"]) == (leaked, 0)
