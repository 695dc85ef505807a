import pytest

from harness.client.tally import SETTLE_NS, Tally
from harness.record.row import NO_ROOM


def tally_of_three():
    tally = Tally(rooms=1, delivers_to_sender=True)
    for _ in range(3):
        tally.joined(0, 1)
    return tally


def test_a_delivery_that_never_came_is_a_loss_once_it_has_settled():
    tally = tally_of_three()
    tally.published(1, 1, 0, due=0, sent=10)
    tally.accepted(1, 1, 5)
    tally.delivered((1, 1))
    tally.delivered((1, 1))
    assert tally.snapshot(SETTLE_NS).lost == 0
    assert tally.snapshot(SETTLE_NS + 10).lost == 1


def test_a_rejected_message_is_no_loss():
    tally = tally_of_three()
    tally.published(1, 1, 0, due=0, sent=10)
    tally.refused(1, 1)
    assert tally.snapshot(SETTLE_NS * 2).lost == 0


def test_a_room_that_changed_meanwhile_is_not_judged():
    tally = tally_of_three()
    tally.published(1, 1, 0, due=0, sent=10)
    tally.accepted(1, 1, 5)
    tally.joined(0, -1)
    assert tally.snapshot(SETTLE_NS * 2).lost == 0


def test_a_snapshot_holds_what_came_since_the_last():
    tally = tally_of_three()
    tally.published(1, 1, 0, due=0, sent=10)
    tally.accepted(1, 1, 500)
    first = tally.snapshot(20)
    assert (first.sent, first.answered, first.response_p50) == (1, 1, 500)
    second = tally.snapshot(30)
    assert (second.sent, second.response_p50) == (0, None)


def test_a_message_to_no_room_counts_as_sent_and_is_owed_to_nobody():
    tally = Tally(rooms=0, delivers_to_sender=True)
    tally.published(1, 1, NO_ROOM, due=0, sent=10)
    tally.accepted(1, 1, 5)
    tally.delivered((1, 1))
    found = tally.snapshot(SETTLE_NS * 2)
    assert (found.sent, found.answered, found.lost) == (1, 1, 0)


@pytest.mark.parametrize("acked_first", [True, False])
def test_what_everybody_has_is_forgotten_at_once_and_never_lost(acked_first):
    tally = Tally(1, True)
    for _ in range(2):
        tally.joined(0, 1)
    for seq in range(1000):
        tally.published(5, seq, 0, 0, 1)
        acts = [lambda s=seq: tally.delivered((5, s)), lambda s=seq: tally.delivered((5, s))]
        acts.insert(0 if acked_first else 2, lambda s=seq: tally.accepted(5, s, 3))
        for act in acts:
            act()
    assert not tally._owed
    snapshot = tally.snapshot(10 * SETTLE_NS)
    assert (snapshot.lost, snapshot.deliveries, snapshot.answered) == (0, 2000, 1000)


def test_a_poller_has_its_interval_more_before_it_counts_as_having_lost_something():
    tally = Tally(1, True, None, 5_000_000_000)
    tally.joined(0, 1)
    tally.published(1, 1, 0, 0, 0)
    tally.accepted(1, 1, 5)
    assert tally.snapshot(6_999_999_999).lost == 0
    assert tally.snapshot(7_000_000_001).lost == 1
