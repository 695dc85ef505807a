"""Which sessions lost a connection, for how long, what they missed meanwhile, and which were never served at all."""

from harness.record.row import Closer, Kind, Outcome
from reports import words

from .conftest import on_the_page, on_the_terminal


def recovery(run, session, at, back=0, outcome=Outcome.OK, closer=Closer.RESET, code=0, tries=1):
    return run.row(Kind.RECOVERY, outcome, session=session, conn=1, peer=closer, code=code, seq=tries, sent=at,
                   arrived=back, read=back or at)  # fmt: skip


def test_a_run_in_which_nobody_was_lost_has_no_recovery(clean):
    report = clean.report()
    assert report["recovery"] is None
    assert "recovery" not in on_the_terminal(report)
    assert "No open connection was lost" in on_the_page(report)


def test_recovery_runs_from_the_loss_to_the_return_and_counts_who_did_not_come_back(clean):
    for n in range(20):
        recovery(clean, n % 4, 1000 + n, 1500 + n, closer=Closer.US)
    recovery(clean, 0, 3000, 5500, tries=4)
    recovery(clean, 1, 3000, outcome=Outcome.REJECTED, code=1008, closer=Closer.ENDPOINT)
    recovery(clean, 2, 3000, outcome=Outcome.EXPIRED, code=503)
    recovery(clean, 3, 3000, outcome=Outcome.ABANDONED)
    report = clean.report()
    found = report["recovery"]
    assert (found["lost"], found["recovered"], found["gave_up"], found["still_away"]) == (24, 21, 2, 1)
    assert (found["time"]["p50"], found["time"]["p95"], found["time"]["max"]) == (500.0, 500.0, 2500.0)
    assert found["gave_up_by"] == {"code 1008": 1, "tries used up": 1}
    assert {cause: part["lost"] for cause, part in found["by_cause"].items()} == {"us": 20, "endpoint": 1, "reset": 3}
    assert found["tries_max"] == 4
    text = on_the_terminal(report)
    assert "24 connections lost: 21 joined again (p50 0.50 s, p95 0.50 s, max 2.50 s), 2 gave up" in text
    assert "1 by code 1008" in text
    assert "1 still away" in text
    page = on_the_page(report)
    assert "tries used up" in page
    assert "<td>endpoint</td><td>1</td><td>0</td><td>–</td>" in page


def test_what_passed_between_two_connections_is_missed_and_not_lost(make):
    run = make().member(0, 1)
    run.publish(0, 1, 1000).deliver(0, 0, 1, 1003).deliver(1, 0, 1, 1003)
    run.close(1, 2000, closer=Closer.RESET, code=104)
    run.publish(0, 2, 3000).deliver(0, 0, 2, 3003)
    run.open(1, 4000, conn=1).join(1, 4100, conn=1)
    run.publish(0, 3, 5000).deliver(0, 0, 3, 5003).deliver(1, 0, 3, 5003, conn=1)
    books = run.report()["ledger"]
    assert (books["missed_while_away"], books["all"]["lost"]) == (1, 0)


def test_what_came_before_the_ack_of_the_new_join_was_not_missed(make):
    run = make().member(0, 1)
    run.publish(0, 1, 1000).deliver(0, 0, 1, 1003).deliver(1, 0, 1, 1003)
    run.close(1, 2000, closer=Closer.RESET, code=104)
    run.open(1, 4000, conn=1)
    run.publish(0, 2, 4100).deliver(0, 0, 2, 4103).deliver(1, 0, 2, 4103, conn=1)
    run.join(1, 4104, conn=1)
    books = run.report()["ledger"]
    assert (books["missed_while_away"], books["all"]["lost"]) == (0, 0)


def test_what_was_refused_or_said_in_another_room_is_not_missed(make):
    run = make().member(0, 1)
    run.close(1, 2000, closer=Closer.RESET, code=104)
    run.publish(0, 1, 3000, Outcome.REJECTED, code=400)
    run.publish(0, 2, 3100, room=1)
    run.open(1, 4000, conn=1).join(1, 4100, conn=1)
    assert run.report()["ledger"]["missed_while_away"] == 0


def test_an_opening_that_was_due_and_never_tried_makes_the_run_unfit(clean):
    clean.row(Kind.OPEN, Outcome.ABANDONED, session=3, due=500, read=21_000)
    report = clean.report()
    assert report["fitness"]["never_opened"] == 1
    assert words.NEVER_OPENED.format(count=1) in report["fitness"]["reasons"]
    assert "open-failed" not in {finding["name"] for finding in report["findings"]}


def test_an_opening_that_we_broke_off_is_neither_unfit_nor_a_finding(clean):
    clean.row(Kind.OPEN, Outcome.ABANDONED, session=3, due=500, sent=501, arrived=900)
    report = clean.report()
    assert (report["fitness"]["never_opened"], report["fitness"]["verdict"], report["findings"]) == (0, "fit", [])
