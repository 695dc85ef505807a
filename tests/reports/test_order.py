"""One order for a room, and causal order: against their definitions by brute force, at boundaries, and as findings."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.record.row import Kind
from reports.order import Heard, Readings, causes, late_of_causes, late_of_room, late_of_sender, room
from reports.order import sequences as order_sequences

from .conftest import on_the_page, on_the_terminal


def heard(sequences):
    """Sequences given as lists of messages, read in turns."""
    turns = [(turn, member, message) for member, each in enumerate(sequences) for turn, message in enumerate(each)]
    turns.sort(key=lambda one: one[0])
    member, message = (np.array([one[n] for one in turns], np.int64) for n in (1, 2))
    return Heard(member, message, np.arange(len(turns)))


def first_heard(one, messages):
    first = np.full(messages, len(one.place))
    first[one.message[::-1]] = one.place[::-1]
    return first


def conflicts(sequences):
    pairs = [set(combinations(each, 2)) for each in sequences]
    return {(a, b) for mine in pairs for a, b in mine if any((b, a) in other for other in pairs)}


def judged_room(sequences, messages):
    one = heard(sequences)
    return one, late_of_room(one, np.zeros(messages, np.int64), first_heard(one, messages))


some_sequences = st.lists(st.lists(st.integers(0, 6), unique=True, max_size=7), min_size=1, max_size=5)


@pytest.mark.parametrize("cells", [room.MATRIX_CELLS, 0], ids=["matrix", "references"])
@settings(max_examples=300, deadline=None)
@given(some_sequences)
def test_a_room_is_out_of_order_exactly_if_two_receivers_heard_two_messages_in_different_orders(cells, sequences):
    kept, room.MATRIX_CELLS = room.MATRIX_CELLS, cells
    try:
        one, found = judged_room(sequences, 7)
    finally:
        room.MATRIX_CELLS = kept
    against = conflicts(sequences)
    if not against:
        assert len(found.late) == 0 and found.example is None
    elif cells:
        assert len(found.late) > 0
    if found.example is not None:
        first, second, here, there = found.example
        assert (first, second) in against
        assert [one.message[place] for place in (*here, *there)] == [first, second, first, second]
        assert here[0] < here[1] and there[0] > there[1]
        assert one.member[here[0]] == one.member[here[1]] != one.member[there[0]] == one.member[there[1]]
        left = set(found.late.tolist())
        kept_sequences = [
            [int(one.message[n]) for n in range(len(one.place)) if one.member[n] == member and n not in left]
            for member in range(len(sequences))
        ]
        if len(sequences) == 2:
            assert conflicts(kept_sequences) == set()


@settings(max_examples=200, deadline=None)
@given(st.permutations(range(7)), st.lists(st.sets(st.integers(0, 6)), max_size=6))
def test_whoever_heard_whichever_part_of_one_order_is_in_order(order, heard_by):
    _, found = judged_room([[each for each in order if each in some] for some in heard_by], 7)
    assert len(found.late) == 0


def test_the_minority_is_late_and_each_of_its_deliveries_counts_once():
    right, wrong = list(range(10)), [0, 1, 3, 4, 5, 2, 6, 7, 8, 9]
    one, found = judged_room([right, wrong, right], 10)
    assert one.message[found.late].tolist() == [2]
    one, found = judged_room([wrong, right, wrong], 10)
    assert one.message[found.late].tolist() == [2]
    assert one.member[found.late].tolist() == [1]


def test_rooms_do_not_disturb_each_other():
    one = heard([[0, 1], [0, 1], [3, 2], [2, 3]])
    found = late_of_room(one, np.array([0, 0, 1, 1]), first_heard(one, 4))
    assert set(one.message[found.late].tolist()) <= {2, 3}
    assert len(found.late) == 1


def test_a_swap_across_the_edge_of_a_chunk_is_seen(monkeypatch):
    monkeypatch.setattr(order_sequences, "CHUNK_BITS", 1)
    monkeypatch.setattr(order_sequences, "LEAST_CHUNK_BITS", 1)
    _, found = judged_room([[0, 1, 2, 3], [0, 1, 3, 2], [0, 1, 2, 3]], 4)
    assert len(found.late) == 1


# -- causal ---------------------------------------------------------------------------------------------------------


def violations(sequences, sender, sent, reads):
    """(member, question) wherever an answer came before it."""
    return {
        (member, question)
        for member, each in enumerate(sequences)
        for answer, question in combinations(each, 2)
        if sender[answer] != sender[question] and reads.get((sender[answer], question), np.inf) < sent[answer]
    }


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_causal_order_is_broken_exactly_where_an_answer_came_first(data):
    messages, sessions = 6, 4
    sender = data.draw(st.lists(st.integers(0, sessions - 1), min_size=messages, max_size=messages))
    sent = [100 * n for n in range(messages)]
    sequences = [data.draw(st.lists(st.integers(0, 5), unique=True)) for _ in range(sessions)]
    rows, reads = [], {}
    for member, each in enumerate(sequences):
        at = 0
        for message in each:
            at = max(at, sent[message]) + data.draw(st.integers(1, 150))
            rows.append((at, member, message))
            reads[member, message] = at
    rows.sort()
    read, member, message = (np.array([row[n] for row in rows], np.int64) for n in range(3))
    one = Heard(member, message, np.arange(len(rows)))
    first = np.full(messages, np.iinfo(np.int64).max)
    np.minimum.at(first, message, read)
    found = late_of_causes(one, np.array(sender), np.array(sent), first, Readings(member, message, read))
    late = {(int(member[n]), int(message[n])) for n in found.late}
    assert late == violations(sequences, sender, sent, reads)
    assert (found.example is None) == (not late)
    if found.example is not None:
        question, answer, (known, nowhere), (late_at, early_at) = found.example
        assert nowhere == -1
        assert (message[known], member[known]) == (question, sender[answer])
        assert read[known] < sent[answer]
        assert (message[late_at], message[early_at]) == (question, answer)
        assert early_at < late_at and member[early_at] == member[late_at]


def test_what_was_too_much_to_compare_is_said(monkeypatch):
    monkeypatch.setattr(causes, "MOST_PAIRS", 0)
    one = Heard(np.array([0, 1, 1]), np.array([0, 1, 0]), np.arange(3))
    readings = Readings(one.member, one.message, np.array([50, 150, 160]))
    found = late_of_causes(one, np.array([5, 0]), np.array([0, 100]), np.array([50, 150]), readings)
    assert (found.unjudged, len(found.late)) == (1, 0)


def test_nothing_heard_is_in_order():
    none = np.empty(0, np.int64)
    nothing = Heard(none, none, none)
    assert len(late_of_sender(nothing, none).late) == 0
    assert len(late_of_room(nothing, none, none).late) == 0
    assert len(late_of_causes(nothing, none, none, none, Readings(none, none, none)).late) == 0


# -- whole reports --------------------------------------------------------------------------------------------------


def test_two_receivers_with_two_orders_are_found_where_one_is_promised(make):
    run = make(contract={"order": "room"}).member(0, 1, 2).chatter((0, 1, 2), messages=4)
    run.publish(0, 9, 9000).publish(1, 9, 9001)
    for receiver, order in ((0, (0, 1)), (1, (1, 0)), (2, (0, 1))):
        for n, sender in enumerate(order):
            run.deliver(receiver, sender, 9, 9010 + n)
    report = run.report()
    assert report["finding_counts"]["out-of-total-order"] == 1
    assert report["finding_counts"]["reordered"] == 0
    assert report["finding_counts"]["out-of-causal-order"] is None
    (example,) = report["ledger"]["order_examples"]
    assert example["there"] == {"session": 1, "first_s": 9.011, "second_s": 9.01}
    assert (example["first"]["sender"], example["second"]["sender"], example["room"]) == (0, 1, 0)
    assert "out of total order" in on_the_terminal(report)
    assert "out-of-total-order" in on_the_page(report)


@pytest.mark.parametrize(("read_ms", "count"), [(8999, 1), (9000, 0), (9001, 0)])
def test_an_answer_that_overtakes_what_its_sender_had_read_is_found_where_causal_order_is_promised(
    make, read_ms, count
):
    run = make(contract={"order": "causal"}).member(0, 1, 2).chatter((0, 1, 2), messages=4)
    run.publish(0, 9, 8990).deliver(1, 0, 9, read_ms).publish(1, 9, 9000)
    run.deliver(2, 1, 9, 9010).deliver(2, 0, 9, 9020)  # the answer first
    run.deliver(0, 0, 9, 9020).deliver(0, 1, 9, 9021).deliver(1, 1, 9, 9021)
    report = run.report()
    assert report["finding_counts"]["out-of-causal-order"] == count
    assert report["finding_counts"]["out-of-total-order"] is None
    assert report["finding_counts"]["reordered"] == 0


@pytest.mark.parametrize("order", ["sender", "room", "causal"])
def test_a_clean_run_is_in_every_order(make, order):
    counts = make(contract={"order": order}).member(0, 1, 2, 3).chatter().report()["finding_counts"]
    judged = {"room": "out-of-total-order", "causal": "out-of-causal-order"}
    for kind, name in judged.items():
        assert counts[name] == (0 if order == kind else None)
    assert counts["reordered"] == 0


def test_history_is_in_no_order_with_what_is_live(make):
    run = make(contract={"order": "room"}).member(0, 1)
    run.publish(0, 1, 2000).publish(0, 2, 2100)
    for receiver in (0, 1):
        run.deliver(receiver, 0, 1, 2005).deliver(receiver, 0, 2, 2105)
    run.member(2).open(3, at=3000).join(3, at=3010)
    run.publish(1, 1, 3020)
    run.deliver(3, 1, 1, 3025).deliver(3, 0, 2, 3026).deliver(3, 0, 1, 3027)  # the live one, and then history
    for receiver in (0, 1, 2):
        run.deliver(receiver, 1, 1, 3025)
    counts = run.report()["finding_counts"]
    assert (counts["out-of-total-order"], counts["reordered"]) == (0, 0)


@pytest.mark.parametrize(("ordered", "order"), [(True, "sender"), (False, "none"), (None, "sender")])
def test_runs_of_before_are_read(make, ordered, order):
    contract = {} if ordered is None else {"ordered": ordered}
    run = make(contract=contract).member(0, 1).row(Kind.LIFT)
    assert run.report()["ledger"]["order"] == order
