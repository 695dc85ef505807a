"""Connections and the expiry of their tokens: who was served on, and whom the endpoint closed for it."""

import pytest

from harness.record.row import Closer, Kind, Outcome

EXPIRES = 6_000
MS = 10**6


def opened(make, expires=EXPIRES, **contract):
    run = make(contract=contract)
    for session in (0, 1):
        seq = 10**12 + expires * MS if expires else 0
        run.row(Kind.OPEN, session=session, due=10, sent=10, arrived=11, seq=seq).join(session)
    return run


def told(report):
    return report["finding_counts"]["outlived-token"], report["tokens"]


@pytest.mark.parametrize(
    ("at", "outlived"), [(5_999, None), (6_001, None), (8_000, None), (8_001, 1), (12_000, 1)]
)  # the grace is two seconds
def test_a_delivery_after_the_grace_is_the_proof(make, at, outlived):
    run = opened(make).publish(0, 1, 2000).deliver(0, 0, 1, 2003).deliver(1, 0, 1, at)
    count, tokens = told(run.report())
    assert count == outlived
    assert tokens["outlived"] == tokens["served"] == (outlived or 0)


@pytest.mark.parametrize(("outcome", "outlived"), [(Outcome.OK, 1), (Outcome.REJECTED, None), (Outcome.EXPIRED, None)])
def test_only_an_accepted_request_is_service(make, outcome, outlived):
    count, _ = told(opened(make).publish(0, 1, 9000, outcome).report())
    assert count == outlived


@pytest.mark.parametrize("code", [1000, 1008, 3000, 4401, 4999])
def test_a_close_after_the_expiry_is_expected_and_judged(make, code):
    run = opened(make).publish(0, 1, 2000).deliver(0, 0, 1, 2003).deliver(1, 0, 1, 2003)
    report = run.close(1, 6_300, closer=Closer.ENDPOINT, code=code).report()
    assert told(report)[0] == 0
    assert report["closes"]["expected"] == {"token": 1}
    assert report["finding_counts"]["unexpected-close"] == 0


@pytest.mark.parametrize(
    ("at", "closer", "code"),
    [(4_900, Closer.ENDPOINT, 4401), (6_300, Closer.FIN, 1006), (6_300, Closer.ENDPOINT, 1011)],
)
def test_too_early_without_a_frame_or_an_error_of_its_own_is_no_answer_to_the_expiry(make, at, closer, code):
    report = opened(make).publish(0, 1, 2000).close(1, at, closer=closer, code=code).report()
    assert report["closes"]["expected"] == {}
    assert report["finding_counts"]["unexpected-close"] == 1


def test_where_no_expiry_is_known_nothing_is_judged(make):
    report = opened(make, expires=0).publish(0, 1, 9000).report()
    assert told(report) == (None, None)


def test_the_contract_may_let_connections_outlive_their_token(make):
    report = opened(make, may_outlive_token=True).publish(0, 1, 9000).report()
    assert told(report)[0] is None
    assert report["tokens"]["outlived"] == 1


def test_a_longer_grace(make):
    assert told(opened(make, token_grace_s=5.0).publish(0, 1, 9000).report())[0] is None
