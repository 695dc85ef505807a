from hypothesis import given, settings
from hypothesis import strategies as st

from harness.client.matching import MOST_SPANS, GivenUp, Matching
from harness.client.receipts import Receipt
from harness.record.row import Kind


def open_request(matching, kind=Kind.PUBLISH, seq=None):
    receipt = Receipt(kind, matching.next_seq() if seq is None else seq, 0, 0, 0)
    matching.receipts[receipt.seq] = receipt
    return receipt


def test_an_answer_takes_the_request_with_its_number_once():
    matching = Matching("n-3-")
    first, second = open_request(matching), open_request(matching)
    assert matching.take("n-3-2", False) is second
    assert matching.take("n-3-2", False) is None
    assert matching.awaits(first)
    assert not matching.awaits(second)


def test_a_plain_number_is_an_id_too_and_another_sessions_id_is_none():
    matching = Matching("n-3-")
    receipt = open_request(matching)
    assert matching.take("n-4-1", False) is None
    assert (matching.number("n-4-1"), matching.number(None), matching.number("n-3-1")) == (None, None, 1)
    assert matching.take("1", False) is receipt


def test_only_an_error_without_a_known_id_belongs_to_the_probe():
    matching = Matching("n-3-")
    publish = open_request(matching)
    matching.probe = probe = open_request(matching, Kind.PROBE)
    assert matching.take(None, False) is None
    assert matching.take("n-3-1", True) is publish
    assert matching.take("n-3-1", True) is probe
    assert matching.take(None, True) is None


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
