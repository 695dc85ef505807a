"""History, live deliveries and copies: told apart by when the receiver's membership began."""

import pytest

from .conftest import on_the_page, on_the_terminal


def joined_late(make, sent, heard, at=5000):
    """Session 1 joins at `at` and is acknowledged 1 ms later; session 0's message of `sent` reaches it at `heard`."""
    run = make().member(0).open(1, at=at - 10).join(1, at=at)
    return run.publish(0, 1, sent).deliver(0, 0, 1, sent + 3).deliver(1, 0, 1, heard)


@pytest.mark.parametrize(
    ("sent", "replayed"),
    [(2000, 1), (5000.999, 1), (5001, 0), (6000, 0)],
    ids=["long before", "just before", "at once", "after"],
)
def test_history_is_what_was_sent_before_the_receivers_join_was_acknowledged(make, sent, replayed):
    report = joined_late(make, sent, 6010).report()
    assert report["ledger"]["replayed"] == replayed
    assert report["figures"]["delivery"]["all"]["count"] == 2 - replayed
    assert report["figures"]["transit"]["all"]["count"] == 2 - replayed
    assert report["ledger"]["deliveries"] == 2
    assert not any(report["finding_counts"].values())
    shown = on_the_terminal(report), on_the_page(report)
    assert [("had joined" in text) for text in shown] == [bool(replayed)] * 2


def test_a_clean_run_has_no_history(clean):
    report = clean.report()
    assert report["ledger"]["replayed"] == 0
    assert report["figures"]["delivery"]["all"]["count"] == report["ledger"]["deliveries"] == 160


def test_a_hole_between_history_and_what_is_live_is_no_loss(make):
    run = make().member(0).open(1, at=4990).join(1, at=5000)
    for seq, at in enumerate((4000, 4500, 4800, 6000), 1):
        run.publish(0, seq, at).deliver(0, 0, seq, at + 3)
    run.deliver(1, 0, 1, 5002).deliver(1, 0, 4, 6003)  # the history is one message long
    report = run.report()
    assert (report["ledger"]["all"]["lost"], report["ledger"]["replayed"]) == (0, 1)


def test_history_that_also_comes_live_is_no_copy(make):
    report = joined_late(make, 5000.5, 5002).deliver(1, 0, 1, 5003).report()
    assert (report["ledger"]["all"]["duplicated"], report["ledger"]["replayed"]) == (0, 2)


def returned(make, sent):
    """Session 1 has a message on its first connection, and again on a second one, which joined at 6000."""
    run = make().member(0, 1).publish(0, 1, sent)
    run.deliver(0, 0, 1, sent + 3).deliver(1, 0, 1, sent + 3)
    return run.open(1, at=5990, conn=1).join(1, at=6000, conn=1).deliver(1, 0, 1, 7000, conn=1)


@pytest.mark.parametrize(("sent", "duplicated"), [(5000, 0), (6500, 1)], ids=["history", "live on both"])
def test_a_copy_over_two_connections_of_a_session_is_a_duplicate_unless_it_is_history(make, sent, duplicated):
    report = returned(make, sent).report()
    assert report["finding_counts"]["duplicated"] == duplicated
    assert report["ledger"]["replayed"] == 1 - duplicated
    assert report["figures"]["delivery"]["all"]["count"] == 2


def test_a_copy_on_one_connection_is_in_no_latency_figure(make):
    run = make().member(0, 1).publish(0, 1, 2000).deliver(0, 0, 1, 2003).deliver(1, 0, 1, 2003).deliver(1, 0, 1, 9000)
    report = run.report()
    assert report["finding_counts"]["duplicated"] == 1
    assert report["figures"]["delivery"]["all"]["max"] == 3


def test_two_sessions_that_get_a_message_once_each_have_no_copy(make):
    report = make().member(0, 1, 2).chatter((0, 1, 2)).report()
    assert report["finding_counts"]["duplicated"] == 0
