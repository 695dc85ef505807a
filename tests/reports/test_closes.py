"""An endpoint may end what it said it would end, and nothing else, and not before its time."""

import pytest

from harness.errors import PlanError
from harness.plan import build_plan
from harness.record.row import Closer, Kind, Outcome

LIMITS = {"lifetime_s": 10.0, "idle_s": 4.0, "expected_closes": [1012]}


def told(make, **contract):
    run = make(contract=contract or LIMITS)
    run.member(0, 1).publish(0, 1, 2000).deliver(0, 0, 1, 2003).deliver(1, 0, 1, 2003)
    return run


@pytest.mark.parametrize(
    ("at", "code", "expected", "unexpected"),
    [
        (10_012, 1001, {"lifetime": 1}, {}),
        (6_004, 1001, {"idle": 1}, {}),
        (5_800, 1001, {}, {"endpoint 1001": 1}),  # idle since 2.003 s only
        (6_004, 1000, {}, {"endpoint 1000": 1}),
        (10_012, 1011, {}, {"endpoint 1011": 1}),
        (3_000, 1012, {"announced": 1}, {}),
    ],
)
def test_a_limit_excuses_a_close_with_its_code_and_not_before_its_time(make, at, code, expected, unexpected):
    report = told(make).close(1, at, closer=Closer.ENDPOINT, code=code).report()
    assert (report["closes"]["expected"], report["closes"]["unexpected"]) == (expected, unexpected)
    assert report["finding_counts"]["unexpected-close"] == sum(unexpected.values())


def test_without_limits_in_the_contract_every_close_by_the_endpoint_is_unexpected(make):
    report = told(make, throttle_per_s=None).close(1, 10_012, closer=Closer.ENDPOINT, code=1001).report()
    assert report["closes"]["expected"] == {}
    assert report["closes"]["unexpected"] == {"endpoint 1001": 1}


def test_a_stream_that_only_ends_is_not_the_limit_whatever_its_age(make):
    report = told(make).close(1, 10_012, closer=Closer.FIN, code=1006).report()
    assert report["closes"]["unexpected"] == {"fin 1006": 1}


def test_a_second_connection_has_an_age_of_its_own(make):
    run = told(make).close(1, 3000).open(1, at=3000, conn=1)
    for at in range(4000, 11_000, 1000):
        run.row(Kind.PING, session=1, conn=1, sent=at, arrived=at + 1)
    report = run.close(1, 11_000, conn=1, closer=Closer.ENDPOINT, code=1001).report()
    assert report["closes"]["unexpected"] == {"endpoint 1001": 1}


def test_a_keepalive_ping_does_not_end_idleness_and_its_pong_is_a_figure(make):
    run = told(make)
    run.row(Kind.KEEPALIVE, session=1, due=5000, sent=5000, arrived=5003)
    report = run.close(1, 6_010, closer=Closer.ENDPOINT, code=1001).report()
    assert report["closes"]["expected"] == {"idle": 1}
    assert report["figures"]["pong"]["all"]["p50"] == 3.0
    assert report["figures"]["service"]["all"]["max"] != 3.0


def test_a_connection_given_up_for_a_missing_pong_is_a_finding(make):
    run = told(make).row(Kind.KEEPALIVE, Outcome.EXPIRED, session=1, due=5000, sent=5000)
    report = run.close(1, 6_010, closer=Closer.SILENT, code=1006).report()
    assert report["closes"]["unexpected"] == {"silent 1006": 1}
    assert report["outcomes"]["keepalive"] == {"expired": 1}


def test_a_limit_code_that_is_no_close_code_is_refused():
    with pytest.raises(PlanError, match="404 is not a close code"):
        build_plan({"contract": {"limit_codes": [404]}})
