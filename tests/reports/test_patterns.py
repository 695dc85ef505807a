"""Who polls and who posts in the reports: what is owed to them, what is excused, and the patterns side by side."""

import pytest

from harness.record.row import Flag, Kind, Outcome
from reports import words
from tests.fault_numbers import Fault

from .conftest import on_the_page, on_the_terminal

MIXED = {
    "names": ["chat", "polling", "hybrid"],
    "patterns": ["websocket", "polling", "hybrid"],
    "parts": [0, 1, 2, 0],
}
POLLING = {"names": ["polling"], "patterns": ["polling"], "parts": []}


def test_a_poller_is_owed_what_was_said_before_its_last_answered_poll_and_no_more(make):
    made = make(scenarios=POLLING).member(0, 1)
    made.publish(1, 1, 3000).publish(1, 2, 6000).publish(1, 3, 9000)
    for session in (0, 1):
        made.fetch(session, 5000, messages=1)
    made.deliver(0, 1, 1, 5003).deliver(1, 1, 1, 5003)
    books = made.report()["ledger"]["all"]
    assert (books["owed"], books["lost"]) == (2, 0)  # number 2 and 3 were never asked for


def test_what_a_poller_asked_for_and_never_got_is_lost(make):
    made = make(scenarios=POLLING).member(0, 1)
    made.publish(1, 1, 3000)
    made.fetch(0, 5000, messages=0).fetch(1, 5000, messages=1).deliver(1, 1, 1, 5003)
    report = made.report()
    assert report["ledger"]["all"]["lost"] == 1
    assert report["finding_counts"]["lost"] == 1


def test_a_hole_between_two_messages_is_lost_to_a_poller_too(make):
    made = make(scenarios=POLLING).member(0, 1)
    for seq, at in ((1, 3000), (2, 3100), (3, 3200)):
        made.publish(1, seq, at)
    made.fetch(0, 3300, messages=2).deliver(0, 1, 1, 3303).deliver(0, 1, 3, 3303)
    assert made.report()["ledger"]["all"]["lost"] == 1


def test_a_poller_that_never_polled_again_is_owed_nothing(make):
    made = make(scenarios=POLLING).member(0, 1).publish(1, 1, 3000)
    assert made.report()["ledger"]["all"]["owed"] == 0


def test_a_poll_on_another_connection_or_in_another_room_says_nothing(make):
    made = make(scenarios=POLLING).member(0, 1).publish(1, 1, 3000)
    made.fetch(0, 9000, conn=1).fetch(0, 9000, room=1)
    assert made.report()["ledger"]["all"]["owed"] == 0


def test_the_same_story_by_websocket_is_owed_to_the_end(make):
    made = make().member(0, 1)
    made.publish(1, 1, 3000).publish(1, 2, 6000).deliver(0, 1, 1, 3003).deliver(1, 1, 1, 3003)
    assert made.report()["ledger"]["all"]["lost"] == 2


def test_what_a_poller_caught_up_with_was_not_missed(make):
    made = make(scenarios=POLLING).member(0, 1)
    made.fault(0, Fault.DROP_RESET, 4000).close(0, 4000, code=1006)
    made.publish(1, 1, 4500).publish(1, 2, 4600)
    made.open(0, 5000, conn=1).join(0, 5010, conn=1).deliver(0, 1, 1, 5012, conn=1)
    report = made.report()
    assert report["ledger"]["missed_while_away"] == 1
    assert report["ledger"]["all"]["leaked"] == 0


def test_a_dropped_poller_is_not_looked_for_in_the_list(make):
    made = make(scenarios=MIXED).member(0, 1).poll(2000)
    made.listed(Kind.SEEN, 0, 1000, 2000)
    made.fault(0, Fault.DROP_RESET, 3000).fault(1, Fault.DROP_RESET, 3000)
    made.listed(Kind.GONE, 0, 3000, 4000).poll(4000).poll(20_000)
    stale = made.report()["stale"]
    assert (stale["dropped"], stale["detected"], stale["never_listed"], stale["not_listed"]) == (1, 1, 0, 1)


def test_a_poll_that_was_never_answered_is_a_finding(make):
    made = make(scenarios=POLLING).member(0, 1).fetch(0, 3000, outcome=Outcome.EXPIRED, code=0)
    report = made.report()
    assert report["finding_counts"]["unanswered"] == 1
    assert report["outcomes"]["fetch"] == {"expired": 1}


def test_a_leave_that_was_never_answered_is_one_request_and_not_also_its_poll(make):
    made = make(scenarios=MIXED).member(0, 1).fetch(1, 3000, outcome=Outcome.EXPIRED, code=0)
    for session in (0, 1):  # by WebSocket it has no other row
        made.row(Kind.LEAVE, Outcome.EXPIRED, session=session, room=0, sent=3000)
    assert made.report()["finding_counts"]["unanswered"] == 2


def test_a_pollers_connection_is_no_upgrade_and_in_no_figure_of_openings(make):
    made = make(scenarios=POLLING)
    made.row(Kind.OPEN, session=0, due=10, sent=10, arrived=11, flags=Flag.EXACT | Flag.IMPLICIT)
    made.open(1, at=10)
    figures = made.report()["figures"]
    assert (figures["open"]["all"]["count"], figures["open_service"]["all"]["count"]) == (1, 1)


def test_waiting_for_the_http_connection_is_not_our_lag(make):
    made = make(scenarios=POLLING).member(0, 1)
    made.publish(0, 1, 9000, due=3000, flags=Flag.EXACT | Flag.WAITED).publish(0, 2, 9001, due=9000)
    report = made.report()
    assert report["figures"]["lag"]["all"]["count"] == 1
    assert report["timeline"]["lag_p99_ms"][9] == 1
    assert report["figures"]["response"]["all"]["max"] == 6002  # the user felt it all the same


@pytest.mark.parametrize(("promised", "found"), [(False, None), (True, 20)])
def test_a_burst_of_posts_is_judged_only_where_posts_have_a_bucket(make, promised, found):
    contract = {"throttle_per_s": 10.0, "throttle_burst": 20, "throttle_posts": promised}
    made = make(scenarios=POLLING, contract=contract).member(0, 1).fault(0, Fault.BURST, 3000)
    for seq in range(1, 41):
        made.publish(0, seq, 3000, due=3000, flags=Flag.EXACT | Flag.BURST)
    assert made.report()["finding_counts"]["throttle-not-enforced"] == found


def test_throttled_posts_without_a_promise_are_not_judged(make):
    made = make(scenarios=POLLING).member(0, 1).publish(0, 1, 3000, outcome=Outcome.REJECTED, code=429)
    report = made.report()
    assert report["finding_counts"]["wrongly-rejected"] == 0
    assert report["rejections"]["wrongly_rejected"]["throttled_unjudged"] == 1


def test_a_run_of_one_scenario_has_nothing_to_compare(make):
    assert make(scenarios=POLLING).member(0, 1).report()["patterns"] is None


def test_the_patterns_stand_side_by_side_each_with_its_own(make):
    made = make(scenarios=MIXED)
    for session, at in ((0, 10), (1, 12), (2, 14), (3, 10)):
        made.open(session, at).join(session, at + 5)
    made.publish(0, 1, 3000, took=2).publish(1, 1, 3100, took=4).publish(2, 1, 3200, took=6)
    for sender, at in ((0, 3000), (1, 3100), (2, 3200)):
        made.deliver(0, sender, 1, at + 1).deliver(1, sender, 1, at + 400).deliver(2, sender, 1, at + 2)
    made.fetch(1, 3100, messages=3).fetch(1, 4000, messages=0).fetch(1, 4500, outcome=Outcome.REJECTED, code=503)
    made.fetch(1, 4600, outcome=Outcome.ABANDONED, code=0)  # a held poll that was given up
    chat, polling, hybrid = made.report()["patterns"]
    assert [one["scenario"] for one in (chat, polling, hybrid)] == MIXED["names"]
    assert [one["sessions"] for one in (chat, polling, hybrid)] == [2, 1, 1]
    assert [one["figures"]["response"]["p50"] for one in (chat, polling, hybrid)] == [2, 4, 6]
    assert [one["figures"]["delivery"]["p50"] for one in (chat, polling, hybrid)] == [1, 400, 2]
    assert [one["figures"]["ready"]["p50"] for one in (chat, polling, hybrid)] == [6, 6, 6]
    assert (chat["requests"], chat["frames"]) == (0, 3)
    assert (polling["requests"], polling["frames"]) == (6, 0)
    assert (hybrid["requests"], hybrid["frames"]) == (1, 1)
    assert (polling["polls"], polling["polls_empty"], polling["polls_failed"]) == (4, 1, 1)
    assert chat["polls"] is None


def test_a_delivery_is_timed_from_its_own_message_whatever_the_order_and_not_from_a_burst(make):
    made = make(scenarios=MIXED).member(0, 1, 2, 3)
    made.publish(3, 1, 3000).publish(0, 2, 2000).publish(0, 1, 1000)
    made.publish(0, 3, 2500, flags=Flag.EXACT | Flag.BURST)
    made.deliver(3, 0, 2, 2030).deliver(3, 0, 3, 2599).deliver(3, 0, 1, 1010).deliver(0, 3, 1, 3020)
    made.deliver(3, 0, 9, 3099)  # of nobody's
    report = made.report()
    assert report["figures"]["transit"]["all"] == {
        "count": 3, "p50": 20, "p95": None, "p99": None, "p999": None, "max": 30,
    }  # fmt: skip
    assert report["patterns"][0]["figures"]["transit"] == report["figures"]["transit"]["all"]


def test_faulted_sessions_are_left_out_of_the_comparison(make):
    made = make(scenarios=MIXED)
    for session in range(4):
        made.open(session).join(session)
    made.fault(1, Fault.BURST, 2000).publish(1, 1, 3000).publish(0, 1, 3000)
    made.deliver(1, 0, 1, 3001).deliver(0, 1, 1, 3001)
    chat, polling, _ = made.report()["patterns"]
    assert polling["figures"]["delivery"]["count"] == polling["sent"] == 0
    assert chat["figures"]["delivery"]["count"] == 0


def test_the_comparison_is_shown_in_the_terminal_and_on_the_page(make):
    made = make(scenarios=MIXED).member(0, 1, 2, 3).chatter().fetch(1, 9000)
    report = made.fault(1, Fault.DROP_RESET, 9000).poll(2000).poll(4000).report()
    terminal, page = on_the_terminal(report), on_the_page(report)
    assert "chat (websocket)" in terminal
    assert "Side by side" in page
    for view in (terminal, page):
        assert words.NOT_LISTED.format(count=1) in view
