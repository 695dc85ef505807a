"""The ledger where sessions are in several rooms, or in none."""

from harness.model import NO_ROOM


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


def test_without_rooms_what_reaches_somebody_else_is_a_leak(make):
    run = make().open(0).open(1)
    run.publish(0, 1, 2000, room=NO_ROOM).deliver(1, 0, 1, 2005, room=NO_ROOM)
    assert run.report()["finding_counts"]["leaked"] == 1
