"""Requests without an answer: which the endpoint has failed to answer, and which say nothing of it."""

import pytest

from harness.record.row import Closer, Flag, Kind, Misfit, Outcome, SignalKind
from tests.fault_numbers import Fault

SLOW_READER = Fault.SLOW_READER
POSTING = {"names": ["hybrid"], "patterns": ["hybrid"], "parts": [0]}


def found(run):
    report = run.report()
    return report["finding_counts"]["unanswered"], report["rejections"]["without_answer"]


def answered(run):
    """Something was answered: messages of session 3."""
    run.member(0, 1, 2, 3)
    for seq in range(1, 6):
        run.publish(3, seq, 2000 + seq)
        for receiver in range(4):
            run.deliver(receiver, 3, seq, 2010 + seq)
    return run


def test_messages_of_the_last_third_that_nobody_answers_are_all_counted(make):
    run = answered(make())
    for seq in range(1, 164):
        run.publish(0, seq, 3000 + seq, Outcome.EXPIRED)
    count, silent = found(run)
    assert (count, silent["by_request"], silent["connections"]) == (163, {"publish (ws)": 163}, 1)
    assert (silent["cut_off"], silent["unattributed"], silent["unknown"]) == (0, 0, 0)


def test_requests_are_counted_by_what_was_asked_and_on_how_many_connections(make):
    run = answered(make())
    for session in range(3):
        for at in (3000, 4000, 5000):
            run.row(Kind.JOIN, Outcome.EXPIRED, session=session, room=1, sent=at)
    run.row(Kind.LEAVE, Outcome.EXPIRED, session=0, room=1, sent=6000)
    run.row(Kind.PING, Outcome.EXPIRED, session=1, conn=1, sent=6000)
    count, silent = found(run)
    assert (count, silent["connections"]) == (11, 4)
    assert silent["by_request"] == {"join (ws)": 9, "leave (ws)": 1, "ping (ws)": 1}


@pytest.mark.parametrize(
    ("closer", "code"),
    [(Closer.ENDPOINT, 1011), (Closer.FIN, 1006), (Closer.RESET, 104), (Closer.SILENT, 1006), (Closer.GARBLED, 1002)],
)
def test_a_request_cut_off_by_an_unexpected_close_is_said_with_the_close(make, closer, code):
    run = answered(make())
    run.publish(0, 1, 5000, Outcome.CLOSED, code=code).publish(0, 2, 5010, Outcome.CLOSED, code=code)
    run.close(0, 5005, closer=closer, code=code)
    report = run.report()
    assert report["finding_counts"]["unexpected-close"] == 1
    assert report["finding_counts"]["unanswered"] == 0
    assert report["rejections"]["without_answer"]["cut_off"] == 1  # the second left when the end had arrived


def test_a_request_cut_off_by_a_close_that_the_contract_allows_is_nobodys_fault(make):
    run = answered(make(contract={"expected_closes": [1001]}))
    run.publish(0, 1, 5000, Outcome.CLOSED, code=1001).close(0, 5005, closer=Closer.ENDPOINT, code=1001)
    count, silent = found(run)
    assert (count, silent["cut_off"], silent["unknown"]) == (0, 0, 0)


def test_where_nothing_was_ever_answered_even_an_allowed_close_is_no_answer(make):
    run = make(contract={"expected_closes": [1001]}).open(0)
    for conn in range(7):
        run.row(Kind.JOIN, Outcome.CLOSED, session=0, conn=conn, code=1001, sent=100 + conn * 100, room=0)
        run.close(0, 150 + conn * 100, conn=conn, closer=Closer.ENDPOINT, code=1001)
    count, silent = found(run)
    assert (count, silent["connections"], silent["by_request"]) == (7, 7, {"join (ws)": 7})


@pytest.mark.parametrize("fault", [Fault.DROP_CLOSE, Fault.DROP_RESET, Fault.DROP_HALF_OPEN])
def test_a_request_that_our_own_fault_cut_off_is_neither_unanswered_nor_unknown(make, fault):
    run = answered(make())
    run.publish(0, 1, 5000, Outcome.CLOSED, code=1006).fault(0, fault, 5001).close(0, 5001, code=1006)
    count, silent = found(run)
    assert (count, silent["cut_off"], silent["unknown"]) == (0, 0, 0)


def test_what_a_provoked_close_cuts_off_is_no_silence(make):
    run = answered(make()).fault(0, Fault.BURST, 5000)
    for seq in range(1, 11):
        run.publish(0, seq, 5000, Outcome.CLOSED, flags=Flag.BURST, code=1008)
    run.close(0, 5010, closer=Closer.ENDPOINT, code=1008)
    count, silent = found(run)
    assert (count, silent["cut_off"]) == (0, 0)


def test_what_we_stopped_listening_for_is_unknown_not_unanswered_not_lost_and_not_unsent(make):
    run = answered(make())
    run.publish(0, 1, 5000, Outcome.ABANDONED, took=-5000)
    run.row(Kind.LEAVE, Outcome.ABANDONED, session=0, room=0, sent=5100)
    run.publish(1, 1, 5000, Outcome.CLOSED, code=1000).close(1, 5200)  # a run of before, ended by us
    report = run.report("interrupted")
    counts, silent = report["finding_counts"], report["rejections"]["without_answer"]
    assert (counts["unanswered"], counts["lost"], silent["unknown"]) == (0, 0, 3)
    assert report["fitness"]["abandoned"] == 0
    assert sum(report["timeline"]["abandoned"]) == 0


def test_a_message_that_was_given_up_and_came_all_the_same_was_sent_by_somebody(make):
    run = answered(make()).publish(0, 1, 5000, Outcome.ABANDONED, took=-5000).deliver(1, 0, 1, 5003)
    assert run.report("interrupted")["finding_counts"]["unknown-delivery"] == 0


def test_a_post_whose_http_connection_ended_is_unanswered(make):
    run = answered(make(scenarios=POSTING))
    for seq, code in enumerate((0, 104, 1000, 24), 1):  # 1000: the session's own end; 24: this machine's EMFILE
        run.publish(0, seq, 5000, Outcome.CLOSED, code=code)
    assert found(run)[0] == 2


@pytest.mark.parametrize(("asked", "lifted", "count"), [(4000, 9000, 0), (4000, None, 0), (9500, 9000, 1)])
def test_what_a_slow_reader_could_not_read_is_unknown(make, asked, lifted, count):
    faults = {str(SLOW_READER): {"label": "slow-reader", "drops": False}}
    run = answered(make(faults=faults)).fault(0, SLOW_READER, 3000).publish(0, 1, asked, Outcome.EXPIRED)
    run.publish(1, 1, asked, Outcome.EXPIRED)
    if lifted:
        run.lift(0, SLOW_READER, lifted)
    total, silent = found(run)
    assert (total, silent["unknown"]) == (1 + count, 1 - count)


def nameless(run, count, why=Misfit.LACKS_ID):
    for _ in range(count):
        run.row(Kind.STRAY, Outcome.NONE, session=0, code=SignalKind.ERROR, peer=why, arrived=3000)
    return run


@pytest.mark.parametrize("outcome", [Outcome.EXPIRED, Outcome.CLOSED])
def test_neither_unanswered_nor_lost_is_claimed_of_what_an_error_without_an_id_may_have_refused(make, outcome):
    run = nameless(answered(make()), 1)
    run.publish(0, 1, 3000, outcome, flags=Flag.NAMELESS, code=1011).deliver(1, 0, 1, 3003)
    run.close(0, 6000, closer=Closer.ENDPOINT, code=1011)
    report = run.report()
    counts, silent = report["finding_counts"], report["rejections"]["without_answer"]
    assert (counts["unanswered"], counts["lost"], counts["error-without-id"]) == (0, 0, 1)
    assert (silent["unattributed"], silent["cut_off"]) == (1, 0)


def test_a_message_that_a_nameless_error_was_taken_for_and_that_came_is_not_called_refused_but_delivered(make):
    run = nameless(answered(make(contract={"throttle_codes": [500]})), 1)
    run.publish(0, 1, 3000, Outcome.REJECTED, flags=Flag.NAMELESS, code=500).deliver(1, 0, 1, 3003)
    counts = run.report()["finding_counts"]
    assert (counts["refused-but-delivered"], counts["error-without-id"]) == (0, 1)


def test_errors_to_which_the_protocol_gives_no_id_are_not_found_to_lack_one(make):
    report = nameless(answered(make()), 3, Misfit.HAS_NONE).report()
    assert report["finding_counts"]["error-without-id"] is None
    assert report["strays"]["errors_by_protocol"] == 3


def test_where_every_error_names_its_request_none_is_found_to_lack_an_id(make):
    run = answered(make()).publish(0, 1, 3000, Outcome.REJECTED, code=500)
    assert run.report()["finding_counts"]["error-without-id"] == 0


def test_without_any_error_it_is_not_judged_whether_they_bear_an_id(make):
    assert answered(make()).report()["finding_counts"]["error-without-id"] is None


def test_where_answers_come_in_order_an_error_needs_no_id(make):
    run = nameless(answered(make(endpoint={"order": "fifo"})), 3)
    assert run.report()["finding_counts"]["error-without-id"] is None


def test_answers_to_others_and_second_answers_are_counted_apart(make):
    run = answered(make())
    for why, count in ((Misfit.OTHERS, 2), (Misfit.AGAIN, 3), (Misfit.UNKNOWN, 4)):
        for _ in range(count):
            run.row(Kind.STRAY, Outcome.NONE, session=0, code=SignalKind.ACK, peer=why, arrived=3000)
    strays = run.report()["strays"]
    assert (strays["answers_to_others"], strays["answers_again"], strays["errors_by_protocol"]) == (2, 3, 0)
