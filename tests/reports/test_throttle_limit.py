"""The throttle: what was accepted beyond the promise, what was refused within it, and what the bucket is like."""

import pytest

from harness.record.row import Flag, Kind, Outcome
from tests.fault_numbers import Fault

PROMISED = {"throttle_per_s": 10.0, "throttle_burst": 20}
NAMES = ("throttle-not-enforced", "throttle-too-strict")


def counts(report):
    return tuple(report["finding_counts"][name] for name in NAMES)


def limit(report):
    return report["rejections"]["limit"]


def say(run, at, accepted=True, session=0, conn=0, seq=1, took=2, flags=Flag.EXACT, code=429):
    """One message, with its connection."""
    outcome = Outcome.OK if accepted else Outcome.REJECTED
    return run.row(Kind.PUBLISH, outcome, session=session, conn=conn, seq=seq, room=0, due=at, sent=at,
                   code=0 if accepted else code, flags=flags, arrived=at + took)  # fmt: skip


def load(run, rate, size, per_s, seconds, session=0, conn=0, at=3000, bucket=None):
    """Steady load against a bucket of this rate and size; the bucket's tokens and time when it ends."""
    tokens, before = bucket or (size, at)
    for seq in range(round(per_s * seconds)):
        now = at + seq * 1000 / per_s
        tokens, before = min(size, tokens + (now - before) * rate / 1000), now
        accepted = tokens >= 1
        tokens -= accepted
        say(run, now, accepted, session, conn, seq + 1)
    return tokens, before


def burst(run, accepted, refused=0, at=4000, session=0):
    for seq in range(accepted + refused):
        say(run, at, seq < accepted, session, seq=1000 + seq, flags=Flag.BURST)


@pytest.fixture
def one(make):
    """A run in which session 0 is connected, with what the contract promises."""
    return lambda **contract: make(contract=PROMISED | contract).member(0)


def test_without_a_promise_nothing_is_judged(make):
    run = make(contract={}).member(0)
    burst(run, 60, 3)
    report = run.report()
    assert counts(report) == (None, None)
    assert limit(report)["promised"] is None and limit(report)["throttled"] == 3


def test_without_a_promise_or_a_refusal_there_is_no_limit(make):
    assert limit(make(contract={}).member(0).publish(0, 1, 3000).report()) is None


@pytest.mark.parametrize("messages", [0, 1, 19, 20])
def test_load_within_the_promise_shows_nothing(one, messages):
    run = one()
    burst(run, messages)
    report = run.report()
    assert counts(report) == (None, None)
    assert limit(report)["measured"] is None


@pytest.mark.parametrize(("accepted", "over"), [(20, 0), (21, 1), (25, 5)])
def test_a_burst_may_have_as_many_accepted_as_the_bucket_holds_and_not_one_more(one, accepted, over):
    run = one()
    burst(run, accepted, 30)
    report = run.report()
    assert counts(report) == (over, 0)
    assert limit(report)["exceeded"] == 1


@pytest.mark.parametrize(("accepted", "strict"), [(20, 0), (19, 30), (10, 30), (0, 30)])
def test_a_burst_may_be_refused_only_when_the_bucket_is_empty(one, accepted, strict):
    run = one()
    burst(run, accepted, 30)
    assert counts(run.report()) == (0, strict)


def test_each_of_several_bursts_counts(one):
    run = one()
    for at in (4000, 9000, 14000):
        burst(run, 25, at=at)
    assert counts(run.report()) == (15, 0)


def test_a_window_shows_what_was_beyond_the_promise(one):
    run = one()
    burst(run, 26)
    report = run.report()
    assert limit(report)["most_over"] == {
        "session": 0, "from_s": 4.0, "to_s": 4.002, "accepted": 26, "allowed": 20
    }  # fmt: skip


def test_a_slow_answer_excuses_what_the_bucket_may_have_got_meanwhile(one):
    run = one()
    for seq in range(22):
        say(run, 4000, seq=seq, took=200)
    assert counts(run.report()) == (None, None)


@pytest.mark.parametrize(
    ("factor", "wrong"), [(0.5, "throttle-too-strict"), (0.8, "throttle-too-strict"), (1.0, None),
                          (1.2, "throttle-not-enforced"), (2.0, "throttle-not-enforced")],
)  # fmt: skip
@pytest.mark.parametrize("size", [3, 20])
def test_load_beyond_the_promise_shows_the_rate(one, factor, wrong, size):
    run = one(throttle_burst=size)
    load(run, 10.0 * factor, size, 25, 12)
    report = run.report()
    assert {name for name in NAMES if report["finding_counts"][name]} == ({wrong} if wrong else set())
    measured = limit(report)["measured"]
    assert measured["rate_per_s"]["low"] <= 10.0 * factor <= measured["rate_per_s"]["high"]
    assert measured["rate_per_s"]["high"] - measured["rate_per_s"]["low"] < 0.5
    assert measured["size"]["low"] <= size <= measured["size"]["high"]


def test_a_burst_shows_the_size_and_leaves_the_rate_open(one):
    run = one()
    burst(run, 20, 40)
    measured = limit(run.report())["measured"]
    assert measured["rate_per_s"]["estimate"] is None
    assert 19 < measured["size"]["low"] <= 20 <= measured["size"]["high"] <= 21


def test_without_a_refusal_it_is_known_what_the_bucket_is_at_least(one):
    run = one()
    load(run, 1000.0, 20, 15, 12)
    report = run.report()
    assert counts(report) == (41, 0)
    measured = limit(report)["measured"]
    assert measured["rate_per_s"] == {"estimate": None, "low": pytest.approx(13.4, abs=0.1), "high": None}
    assert measured["size"] == {"estimate": None, "low": pytest.approx(61, abs=1), "high": None}


def test_refusals_only_are_too_strict_and_give_no_estimate(one):
    run = one()
    burst(run, 0, 5)
    report = run.report()
    assert counts(report) == (None, 5)
    assert limit(report)["measured"] is None
    assert limit(report)["most_within"] == {"session": 0, "at_s": 4.0, "tokens": 20.0}


def test_a_limit_of_another_kind_is_not_estimated(one):
    run = one(throttle_burst=10)
    for seq in range(300):  # ten in each second, whenever in it
        say(run, 3000 + seq * 40, seq % 25 < 10, seq=seq)
    report = run.report()
    assert limit(report)["measured"] is None and report["finding_counts"]["throttle-too-strict"] > 0


def test_other_codes_are_no_throttling(one):
    run = one()
    for seq in range(10):
        say(run, 4000, accepted=False, seq=seq, code=403)
    report = run.report()
    assert counts(report) == (None, None)
    assert report["finding_counts"]["wrongly-rejected"] == 10


def test_joins_and_pings_may_have_cost_a_token(one):
    run = one(throttle_burst=2, throttle_per_s=0.1)
    run.row(Kind.PING, session=0, sent=3900, arrived=3901)  # the join and this one took both
    burst(run, 0, 1)
    assert counts(run.report()) == (None, 0)


def test_what_was_never_answered_may_have_cost_a_token(one):
    run = one(throttle_burst=2, throttle_per_s=0.1)
    for seq in (1, 2):
        run.publish(0, seq, 3900, Outcome.EXPIRED)
    burst(run, 0, 1)
    assert run.report()["finding_counts"]["throttle-too-strict"] == 0


def test_each_connection_has_a_bucket(one):
    run = one()
    for conn in range(3):
        run.open(0, 3000 + conn * 1000, conn=conn)
        for seq in range(20):
            say(run, 3500 + conn * 1000, conn=conn, seq=seq)
    assert counts(run.report()) == (None, None)


def test_a_session_keeps_its_bucket_over_reconnects(one):
    run = one(throttle_scope="session")
    for conn in range(3):
        run.open(0, 3000 + conn, conn=conn)
        for seq in range(20):
            say(run, 3500 + conn, conn=conn, seq=seq)
    report = run.report()
    assert counts(report) == (40, 0)
    assert limit(report)["buckets"] == 1 and limit(report)["most_over"]["session"] == 0


@pytest.mark.parametrize(("scope", "over"), [("connection", None), ("session", None), ("endpoint", 10)])
def test_sessions_share_the_bucket_of_an_endpoint(make, scope, over):
    run = make(contract=PROMISED | {"throttle_scope": scope}).member(0, 1)
    for session in (0, 1):
        burst(run, 15, session=session)
    report = run.report()
    assert report["finding_counts"]["throttle-not-enforced"] == over
    assert limit(report)["buckets"] == (1 if scope == "endpoint" else 2)


def test_processes_share_the_bucket_of_an_endpoint(make):
    run = make(processes=2, contract=PROMISED | {"throttle_scope": "endpoint"}).member(0)
    burst(run, 15)
    run.process(1).member(1)
    burst(run, 15, session=1)
    report = run.report()
    assert counts(report) == (10, 0)
    assert limit(report)["most_over"]["session"] is None


@pytest.mark.parametrize(("at", "strict"), [(3000, 0), (4000, 1)])
def test_a_shared_bucket_may_have_been_used_before_the_run(make, at, strict):
    contract = {"throttle_per_s": 1.0, "throttle_burst": 20, "throttle_scope": "endpoint"}
    run = make(contract=contract).member(0)
    say(run, at, accepted=False)  # one token a second since the run began; opening and join took two
    assert counts(run.report()) == (None, strict)


def test_where_there_are_no_acks_what_was_delivered_was_accepted(one):
    run = one()
    for seq in range(1, 41):
        run.row(Kind.PUBLISH, session=0, seq=seq, room=0, due=4000, sent=4000)
        if seq <= 30:
            run.deliver(0, 0, seq, 4003)
    assert run.report()["finding_counts"]["throttle-not-enforced"] == 10


def test_bursts_and_malformed_payloads_that_were_never_sent_are_counted(make):
    chaos = [
        {"fault": "burst", "at_s": 4.0, "count": 2, "messages": 30},
        {"fault": "malformed", "every_s": 5.0, "until_s": 11.0, "count": 1, "messages": 10},
    ]
    run = make(chaos=chaos).member(0, 1)
    run.fault(0, Fault.BURST, 4000)
    burst(run, 20, 5)
    run.fault(0, Fault.MALFORMED, 5000)
    for seq in range(1, 11):
        run.probe(0, seq, 5000 + seq * 100)
    assert run.report()["rejections"]["unsent"] == {"burst_messages": 35, "malformed": 10}


def test_without_chaos_nothing_is_unsent(one):
    assert one().report()["rejections"]["unsent"] == {"burst_messages": 0, "malformed": 0}
