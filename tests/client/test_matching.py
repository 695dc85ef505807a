import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.client.matching import MOST_SPANS, GivenUp, Matching
from harness.client.receipts import Receipt
from harness.record.row import Kind, SignalKind


def open_request(matching, kind=Kind.PUBLISH, seq=None):
    receipt = Receipt(kind, matching.next_seq() if seq is None else seq, 0, 0, 0)
    matching.receipts[receipt.seq] = receipt
    return receipt


def test_an_answer_takes_the_request_with_its_number_once():
    matching = Matching("n-3-")
    first, second = open_request(matching), open_request(matching)
    assert matching.take("n-3-2") is second
    assert matching.take("n-3-2") is None
    assert matching.awaits(first)
    assert not matching.awaits(second)


def test_a_plain_number_is_an_id_too_and_another_sessions_id_is_none():
    matching = Matching("n-3-")
    receipt = open_request(matching)
    assert matching.take("n-4-1") is None
    assert (matching.number("n-4-1"), matching.number(None), matching.number("n-3-1")) == (None, None, 1)
    assert matching.take("1") is receipt


def test_the_probe_under_way_is_taken_once():
    matching = Matching("n-3-")
    open_request(matching)
    assert matching.take_probe() is None
    matching.probe = probe = open_request(matching, Kind.PROBE)
    assert (matching.take(None), matching.take_probe(), matching.take_probe()) == (None, probe, None)


@pytest.mark.parametrize(
    ("frame", "published", "kinds"),
    [
        (SignalKind.ACK, True, [Kind.JOIN, Kind.PUBLISH]),
        (SignalKind.ACK, False, [Kind.JOIN]),
        (SignalKind.PONG, False, [Kind.PING]),
        (SignalKind.ERROR, True, [Kind.JOIN, Kind.PUBLISH, Kind.PING]),
        (SignalKind.ERROR, False, [Kind.JOIN, Kind.PING]),
    ],
)
def test_a_frame_without_an_id_may_answer_the_open_requests_of_its_kind_in_their_order(frame, published, kinds):
    matching = Matching("n-3-")
    for kind in (Kind.JOIN, Kind.PUBLISH, Kind.PING):
        open_request(matching, kind)
    assert [receipt.kind for receipt in matching.answerable(frame, published)] == kinds


def test_as_many_requests_claim_an_unattributed_error_as_there_were_errors_and_only_those_open_when_it_came():
    matching = Matching("n-3-")
    first, second, third = (open_request(matching) for _ in range(3))
    matching.unattributable()
    fourth = open_request(matching)
    matching.unattributable()
    assert [matching.claim(each) for each in (first, second, fourth, third)] == [True, True, False, False]


def test_an_error_that_only_earlier_requests_can_have_caused_is_none_of_a_later_one():
    matching = Matching("n-3-")
    open_request(matching), open_request(matching)
    matching.unattributable()
    later = open_request(matching)
    assert not matching.claim(later)


def test_no_more_unattributed_errors_are_remembered_than_requests_are_open():
    matching = Matching("n-3-")
    receipt = open_request(matching)
    for _ in range(1000):
        matching.unattributable()
    assert (len(matching.unattributed), matching.claim(receipt), matching.claim(receipt)) == (1, True, False)


def test_what_was_given_up_is_late_until_a_fresh_session_takes_the_seat():
    matching = Matching("n-3-")
    receipt = open_request(matching)
    assert not matching.is_late(receipt.seq)
    matching.give_up(receipt)
    assert matching.is_late(receipt.seq)
    assert not matching.is_late(receipt.seq + 1)
    matching.forget()
    assert not matching.is_late(receipt.seq)


@settings(deadline=None)
@given(st.sets(st.integers(1, 60)))
def test_a_number_is_known_as_given_up_exactly_when_it_was(numbers):
    given_up = GivenUp()
    for number in sorted(numbers):
        given_up.add(number)
    assert {number for number in range(62) if number in given_up} == numbers


def test_an_endpoint_that_answers_nothing_costs_one_span_and_one_that_answers_every_other_a_bounded_number():
    silent, patchy = GivenUp(), GivenUp()
    for number in range(100_000):
        silent.add(number)
        patchy.add(2 * number)
    assert (len(silent), len(patchy)) == (1, MOST_SPANS)
    assert (0 in silent, 99_999 in silent) == (True, True)
    assert (199_998 in patchy, 199_997 in patchy, 0 in patchy) == (True, False, False)
