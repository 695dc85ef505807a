"""Where numbers run out: many pairs, ids that the endpoint made up, nothing to judge, and bursts beside the plan."""

import numpy as np
import pytest

from harness.record.row import Flag, Gauge, Outcome
from reports.order import Heard, late_of_sender
from reports.owing import spread
from reports.rows import NOT_A_MESSAGE, SEQ_BITS, SESSION_BITS, message_keys
from tests.fault_numbers import Fault

SMALL_LOAD = {"sessions": 4, "rooms": 2, "ramp_s": 1.0, "duration_s": 20.0}


@pytest.mark.parametrize("pairs", [2**23 - 1, 2**23, 2**23 + 1])
def test_however_many_pairs_there_are_what_came_in_order_is_in_order(pairs):
    numbers = np.arange(pairs)
    sender = np.append(numbers, pairs - 1)  # each sent one message, and the last one two
    assert not len(late_of_sender(Heard(np.zeros(pairs, np.int64), numbers, numbers), sender).late)
    heard = np.append(numbers, pairs)
    places = np.append(numbers[:-1], [pairs, pairs - 1])  # the second one was heard before the first
    assert late_of_sender(Heard(np.zeros(pairs + 1, np.int64), heard, places), sender).late.tolist() == [pairs]


@pytest.mark.parametrize(
    ("session", "seq", "valid"),
    [
        (2**SESSION_BITS - 1, 2**SEQ_BITS - 1, True),
        (2**SESSION_BITS, 1, False),
        (2**28, 1, False),  # wrapped to session 0
        (2**32 - 1, 1, False),
        (0, 2**SEQ_BITS, False),
        (0, 2**SEQ_BITS + 1, False),  # was session 1's message 1
        (0, -1, False),
    ],
)
def test_a_key_is_given_to_what_is_in_range_and_to_nothing_else(session, seq, valid):
    (key,) = message_keys(np.array([session], np.uint32), np.array([seq], np.int64))
    assert (key != NOT_A_MESSAGE) == valid
    if valid:
        assert (key >> SEQ_BITS, key & (1 << SEQ_BITS) - 1) == (session, seq)


@pytest.mark.parametrize(("sender", "seq"), [(4, 1), (2**27, 1), (2**28, 1), (2**32 - 1, 1), (0, 2**36 + 1), (0, -1)])
def test_a_delivery_of_an_id_that_is_out_of_range_is_one_of_nobodys_message(clean, sender, seq):
    report = clean.deliver(1, sender, seq, 9000).report()
    assert report["finding_counts"]["unknown-delivery"] == 1
    assert report["finding_counts"]["duplicated"] == 0
    assert report["ledger"]["all"]["owed"] == report["ledger"]["all"]["paid"] == 160


def test_nothing_owed_is_not_nothing_lost(make):
    report = make().member(0, 1).report()
    names = ("lost", "duplicated", "reordered", "leaked", "refused-but-delivered", "unknown-delivery")
    assert [report["finding_counts"][name] for name in names] == [None] * 6
    assert report["not_judged"].keys() >= set(names)


def test_what_is_not_judged_has_a_reason_and_what_is_judged_has_none(clean):
    report = clean.report()
    assert report["finding_counts"]["lost"] == 0
    absent = {name for name, count in report["finding_counts"].items() if count is None}
    assert absent == report["not_judged"].keys()
    assert all(report["not_judged"].values())


def test_without_a_promise_of_order_none_is_broken(make):
    report = make(contract={"order": "none"}).member(0, 1).chatter((0, 1)).report()
    assert (report["finding_counts"]["reordered"], report["finding_counts"]["lost"]) == (None, 0)


@pytest.mark.parametrize("burst", [0, 1200])
def test_a_burst_does_not_hide_messages_that_were_never_sent(make, burst):
    run = make().member(0, 1).fault(0, Fault.BURST, 4000)
    for seq in range(1, 41):
        run.publish(0, seq, 2000 + 100 * seq)
    for seq in range(101, 101 + burst):
        run.publish(0, seq, 4000, Outcome.REJECTED, code=429, flags=Flag.BURST)
    fitness = run.sample(Gauge.MISSED, 1, 21_500).report()["fitness"]
    assert (fitness["planned"], fitness["sent"], fitness["verdict"]) == (41, 40, "unfit")
    assert "1 of 41" in fitness["reasons"][0]


def test_examples_of_lost_deliveries_are_spread_over_rooms_time_and_sessions(make):
    load = {"sessions": 40, "rooms": 4, "ramp_s": 1.0, "duration_s": 20.0}
    run = make(load=load)
    for session in range(40):
        run.open(session).join(session, room=session % 4)
    for seq in range(1, 11):
        for room in range(4):
            run.publish(room, seq, 2000 + 1000 * seq + room, room=room)
    report = run.report()
    assert report["ledger"]["all"]["lost"] == 400
    examples = report["ledger"]["lost_examples"]
    assert len(examples) == 20
    assert sorted(sum(example["room"] == room for example in examples) for room in range(4)) == [5, 5, 5, 5]
    assert len({int(example["sent_s"]) for example in examples}) == 10
    assert len({example["receiver"] for example in examples}) > 10
    assert examples[0]["sent_s"] == report["ledger"]["first_s"]["lost"] == 3.0
    (lost,) = [finding for finding in report["findings"] if finding["name"] == "lost"]
    assert lost["first_s"] == 3.0


def test_few_examples_are_all_given_once():
    room, time, session = np.array([0, 0, 1]), np.array([30, 10, 20]), np.array([5, 5, 5])
    assert spread(room, time, session, 20).tolist() == [1, 2, 0]
    assert spread(room[:0], time[:0], session[:0], 20).tolist() == []
