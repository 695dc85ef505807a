"""Sessions that an endpoint never lets into a room."""

import pytest

from harness.record.row import Kind, Outcome


def refuse(run, session, at, room=0, code=403, conn=0):
    return run.row(
        Kind.JOIN, Outcome.REJECTED, session=session, conn=conn, room=room, code=code, sent=at, arrived=at + 1
    )


@pytest.mark.parametrize("code", [403, 429])
def test_sessions_that_are_refused_for_good_are_counted_with_their_rooms_and_the_first_time(clean, code):
    for session, room in ((4, 2), (5, 2), (5, 3)):
        clean.open(session)
        for at in (3000, 5000, 7000):
            refuse(clean, session, at + session, room, code)
    report = clean.report()
    assert report["finding_counts"]["refused-joins"] == 2
    (finding,) = [finding for finding in report["findings"] if finding["name"] == "refused-joins"]
    assert (finding["first_s"], finding["whom"]) == (3.005, "rooms 2, 3")
    others = {name for name, count in report["finding_counts"].items() if count} - {"refused-joins"}
    assert others == ({"wrongly-rejected"} if code == 403 else set())


def test_a_session_that_got_in_later_was_not_kept_out(clean):
    refuse(clean, 4, 3000, code=429)
    clean.open(4, at=2990).open(4, at=4000, conn=1).join(4, at=4010, conn=1)
    assert clean.report()["finding_counts"]["refused-joins"] == 0


def test_a_join_that_was_never_answered_is_not_refused(clean):
    clean.row(Kind.JOIN, Outcome.EXPIRED, session=4, room=0, sent=3000)
    assert clean.report()["finding_counts"]["refused-joins"] == 0


def test_a_right_endpoint_refuses_nobody(clean):
    assert clean.report()["finding_counts"]["refused-joins"] == 0


def test_without_joins_it_is_not_judged(make):
    report = make().open(0).report()
    assert report["finding_counts"]["refused-joins"] is None
    assert "refused-joins" in report["not_judged"]
