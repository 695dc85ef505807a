"""Each wrong endpoint shows under its own name and no other; a right one shows nothing."""

import errno
from pathlib import Path

import pytest

from harness.record.row import Closer, Flag, Gauge, Kind, Misfit, Outcome, SignalKind
from reports import words
from reports.registry import RULES
from tests.fault_numbers import Fault


def found(report):
    return {name: count for name, count in report["finding_counts"].items() if count}


def lose(run):
    run.member(0, 1, 2, 3).chatter(lose={(1, 2, 5), (3, 0, 9)})


def double(run):
    run.member(0, 1, 2, 3).chatter(double={(1, 2, 5), (3, 0, 9), (0, 0, 1)})


def reorder(run):
    run.member(0, 1)
    for seq in (1, 2, 3):
        run.publish(0, seq, 2000 + seq)
    for seq in (1, 3, 2):
        run.deliver(1, 0, seq, 2010).deliver(0, 0, seq if seq == 1 else 5 - seq, 2010)


def leak(run):
    run.member(0, 1).member(2, room=1).publish(0, 1, 2000)
    for receiver in (0, 1, 2):
        run.deliver(receiver, 0, 1, 2003)


def leak_after_leaving(run):
    run.member(0, 1).leave(1, 1000).publish(0, 1, 2000).deliver(0, 0, 1, 2003).deliver(1, 0, 1, 2003)


def burst(run, count, accepted):
    """Session 0 sends so many at once, of which the first so many are accepted and reach 0 and 1."""
    run.fault(0, Fault.BURST, 4000)
    for seq in range(101, 101 + count):
        at = 4000 + (seq - 100) / 10
        if seq - 100 > accepted:
            run.publish(0, seq, at, Outcome.REJECTED, code=429, flags=Flag.BURST, due=4000)
        else:
            run.publish(0, seq, at, flags=Flag.BURST, due=4000)
            run.deliver(0, 0, seq, at + 50).deliver(1, 0, seq, at + 50)


def refuse_and_deliver(run):
    run.member(0, 1)
    burst(run, 30, 20)
    run.deliver(1, 0, 125, 4100)


def invent(run):
    run.member(0, 1).publish(0, 1, 2000).deliver(0, 0, 1, 2003).deliver(1, 0, 1, 2003).deliver(1, 0, 77, 2004)


def stay_stale(run):
    run.member(0, 1).chatter((0,), messages=20)
    for session in (0, 1):
        run.listed(Kind.SEEN, session, 5, 15)
    run.fault(1, Fault.DROP_HALF_OPEN, 3000).close(1, 3000, code=1006)
    for at in range(0, 15000, 1000):
        run.poll(at)
    run.lift(1, Fault.DROP_HALF_OPEN, 14500).listed(Kind.GONE, 1, 14000, 15005).poll(15000)


def forget(run):
    run.member(0, 1, 2, 3).chatter(messages=30)
    for session in range(4):
        run.listed(Kind.SEEN, session, 5, 15)
    for at in range(0, 15000, 1000):
        run.poll(at)
    run.listed(Kind.GONE, 2, 8000, 9005)


def do_not_throttle(run):
    run.member(0, 1).chatter((0, 1))
    burst(run, 60, 60)


def cut_a_shouter(run):
    run.member(0, 1).chatter((1,)).fault(0, Fault.BURST, 3000)
    for seq in range(101, 111):
        run.publish(0, seq, 3000, Outcome.CLOSED, flags=Flag.BURST)
    run.close(0, 3010, closer=Closer.RESET, code=104)


def accept_malformed(run):
    run.member(0, 1).fault(0, Fault.MALFORMED, 3000)
    for seq in range(1, 11):
        run.probe(0, seq, 3000 + seq * 100, Outcome.OK if seq % 2 else Outcome.REJECTED)
    run.publish(1, 1, 5000).deliver(0, 1, 1, 5003).deliver(1, 1, 1, 5003)


def fan_out_malformed(run):
    run.member(0, 1).fault(0, Fault.MALFORMED, 3000).probe(0, 1, 3000).deliver(1, 0, 1, 3005)
    run.publish(1, 1, 5000).deliver(0, 1, 1, 5003).deliver(1, 1, 1, 5003)


def refuse_valid(run):
    run.member(0, 1).publish(0, 1, 2000, Outcome.REJECTED, code=403)


def throttle_needlessly(run):
    run.member(0, 1).publish(0, 1, 2000, Outcome.REJECTED, code=429)


def refuse_with_another_code(run):
    run.member(0, 1).fault(0, Fault.MALFORMED, 3000).probe(0, 1, 3000, code=500)
    run.publish(1, 1, 5000).deliver(0, 1, 1, 5003).deliver(1, 1, 1, 5003)


def hand_rubbish_on(run):
    run.member(0, 1).fault(0, Fault.MALFORMED, 3000).probe(0, 1, 3000)
    run.publish(1, 1, 5000).deliver(0, 1, 1, 5003).deliver(1, 1, 1, 5003)
    for session in (0, 1):  # the sender's own may be an answer
        run.row(Kind.STRAY, Outcome.GARBLED, session=session, code=6, arrived=3002)


def never_answer(run):
    run.member(0, 1).publish(0, 1, 2000, Outcome.EXPIRED)


def leave_the_id_out(run):
    run.member(0, 1)
    for _ in range(2):
        run.row(Kind.STRAY, Outcome.NONE, session=0, code=SignalKind.ERROR, peer=Misfit.LACKS_ID, arrived=2002)
    run.publish(0, 2, 2000, Outcome.EXPIRED, flags=Flag.NAMELESS).publish(0, 3, 2000).publish(1, 1, 2000)
    for sender, seq in ((0, 3), (1, 1)):
        run.deliver(0, sender, seq, 2003).deliver(1, sender, seq, 2003)


def hang_up(run):
    run.member(0, 1).publish(0, 1, 2000).deliver(0, 0, 1, 2003).deliver(1, 0, 1, 2003)
    run.close(1, 6000, closer=Closer.ENDPOINT, code=1011)


def refuse_connections(run):
    run.member(0, 1).publish(0, 1, 2000).deliver(0, 0, 1, 2003).deliver(1, 0, 1, 2003)
    run.open(2, outcome=Outcome.REJECTED, code=503)


def grow(run):
    run.member(0, 1).publish(0, 1, 2000).deliver(0, 0, 1, 2003).deliver(1, 0, 1, 2003)
    for step in range(300):  # 64 KiB every 4 s: 56.25 MiB an hour
        run.sample(Gauge.ENDPOINT_RESIDENT_BYTES, 2**26 + step * 2**16, at=1500 + 4000 * step)
    run.ended = 1_205_000


LONG = {"sessions": 4, "rooms": 2, "ramp_s": 1.0, "duration_s": 1200.0}
PLANS = {"memory-grows": {"load": LONG, "contract": {"grows_mib_per_h": 50.0}}}
WRONG = {
    "lost": (lose, 2),
    "duplicated": (double, 3),
    "reordered": (reorder, 1),
    "leaked": (leak, 1),
    "leaked ": (leak_after_leaving, 1),
    "refused-but-delivered": (refuse_and_deliver, 1),
    "unknown-delivery": (invent, 1),
    "stale": (stay_stale, 1),
    "forgotten": (forget, 1),
    "throttle-not-enforced": (do_not_throttle, 41),
    "throttled-silently": (cut_a_shouter, 1),
    "malformed-accepted": (accept_malformed, 5),
    "malformed-accepted ": (fan_out_malformed, 1),
    "wrongly-rejected": (refuse_valid, 1),
    "throttle-too-strict": (throttle_needlessly, 1),
    "wrong-code": (refuse_with_another_code, 1),
    "garbled": (hand_rubbish_on, 1),
    "unanswered": (never_answer, 1),
    "error-without-id": (leave_the_id_out, 2),
    "unexpected-close": (hang_up, 1),
    "open-failed": (refuse_connections, 1),
    "memory-grows": (grow, 56),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_endpoint_shows_under_its_own_name_and_no_other(make, name):
    run = make(**PLANS.get(name, {}))
    wrong, count = WRONG[name]
    wrong(run)
    assert found(run.report()) == {name.strip(): count}


def test_every_finding_has_a_wrong_endpoint_that_shows_it_here_or_in_a_test_of_its_own():
    others = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__))
    alone = RULES.keys() - {name.strip() for name in WRONG}
    assert {name for name in alone if f'"finding_counts"]["{name}"]' not in others} == set()


def test_every_wrong_endpoint_shows_a_finding_that_there_is():
    assert {name.strip() for name in WRONG} <= RULES.keys()


def test_a_right_endpoint_shows_nothing(clean):
    report = clean.report()
    assert found(report) == {}
    assert report["findings"] == []
    assert report["fitness"]["verdict"] == "fit"


def test_what_could_not_be_judged_is_absent_and_not_zero(clean):
    counts = clean.report()["finding_counts"]
    assert counts["stale"] is None
    assert counts["malformed-accepted"] is None
    assert counts["throttle-not-enforced"] is None


def test_a_throttle_that_holds_is_judged_and_silent(make):
    run = make().member(0, 1)
    burst(run, 60, 20)
    counts = run.report()["finding_counts"]
    assert counts["throttle-not-enforced"] == 0
    assert not any(counts.values())


def test_an_endpoint_that_was_slow_to_count_throttles_rightly_what_came_meanwhile(make):
    run = make().member(0, 1).fault(0, Fault.BURST, 4000)
    for seq in range(1, 21):  # all counted when the endpoint went on, at 6500
        run.publish(0, seq, 4000, flags=Flag.BURST, took=2500)
        run.deliver(0, 0, seq, 6500).deliver(1, 0, seq, 6500)
    run.publish(0, 21, 6000, Outcome.REJECTED, code=429, took=501)
    assert found(run.report()) == {}


def test_an_endpoint_that_is_slow_to_say_no_throttles_wrongly_all_the_same(make):
    run = make().member(0, 1).publish(0, 1, 2000, took=10).deliver(0, 0, 1, 2010).deliver(1, 0, 1, 2010)
    run.publish(0, 2, 9000, Outcome.REJECTED, code=429, took=501)
    assert found(run.report()) == {"throttle-too-strict": 1}


def test_without_a_promise_any_refusal_of_what_is_malformed_will_do_but_a_hangup_will_not(make):
    run = make(contract={}).member(0, 1).fault(0, Fault.MALFORMED, 3000).probe(0, 1, 3000, code=500)
    run.publish(1, 1, 5000).deliver(0, 1, 1, 5003).deliver(1, 1, 1, 5003)
    run.probe(0, 2, 6000, Outcome.CLOSED, code=1006).close(0, 6002, closer=Closer.FIN, code=1006)
    assert found(run.report()) == {"wrong-code": 1}


def test_a_burst_excuses_an_end_for_a_while_and_not_for_ever(make):
    run = make().member(0, 1).chatter((0, 1), messages=5)
    for session, at in ((0, 4000 + 4000), (1, 4000 + 9000)):
        run.fault(session, Fault.BURST, 4000).lift(session, Fault.BURST, 4010)
        run.close(session, at, closer=Closer.ENDPOINT, code=1008)
    assert found(run.report()) == {"unexpected-close": 1}


def test_what_chaos_did_is_no_finding(make):
    run = make().member(0, 1, 2, 3).chatter((0, 1))
    run.fault(2, Fault.DROP_RESET, 4000).close(2, 4000, code=1006)
    run.publish(2, 1, 3990, Outcome.CLOSED)
    run.open(2, 4500, conn=1).join(2, 4510, conn=1)
    report = run.report()
    assert set(found(report)) == {"lost"}  # 2 and 3 got nothing of the chatter, and only that
    assert report["ledger"]["unaffected"]["lost"] == 20
    assert report["run"]["sessions_affected"] == 1


def test_a_message_near_the_end_of_a_membership_is_not_owed(make):
    run = make().member(0, 1).publish(0, 1, 5000).deliver(0, 0, 1, 5003)
    run.close(1, 5500)
    assert found(run.report()) == {}


def test_a_hole_between_two_deliveries_is_a_loss_even_near_the_end(make):
    run = make().member(0, 1)
    for seq in (1, 2, 3):
        run.publish(0, seq, 5000 + seq).deliver(0, 0, seq, 5010 + seq)
    run.deliver(1, 0, 1, 5010).deliver(1, 0, 3, 5013).close(1, 5100)
    assert found(run.report()) == {"lost": 1}


def test_an_endpoint_that_does_not_deliver_to_the_sender_owes_it_nothing(make):
    run = make(contract={"delivers_to_sender": False}).member(0, 1).publish(0, 1, 3000).deliver(1, 0, 1, 3003)
    assert found(run.report()) == {}


def test_an_expired_message_that_somebody_got_was_accepted(make):
    run = make().member(0, 1, 2).publish(0, 1, 3000, Outcome.EXPIRED)
    run.deliver(0, 0, 1, 3003).deliver(1, 0, 1, 3003)
    assert found(run.report()) == {"lost": 1, "unanswered": 1}


@pytest.mark.parametrize(
    ("gauge", "value", "said"),
    [(Gauge.CPU_PERMILLE, 990, "CPU"), (Gauge.CLOCK_STEP_NS, 5_000_000, "clock")],
)
def test_a_generator_that_was_not_up_to_it_makes_the_run_unfit(clean, gauge, value, said):
    for _ in range(30):
        clean.sample(gauge, value)
    fitness = clean.report()["fitness"]
    assert fitness["verdict"] == "unfit"
    assert said in fitness["reasons"][0]


@pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS", "ENOMEM"])
def test_what_this_machine_had_no_more_of_is_no_finding_and_makes_the_run_unfit(clean, name):
    code = getattr(errno, name)
    clean.open(2, outcome=Outcome.CLOSED, code=code)
    clean.close(1, 6000, code=code, closer=Closer.RESET)
    report = clean.report()
    assert found(report) == {}
    assert report["fitness"]["processes"][0]["exhausted"] == {name: 2}
    assert report["fitness"]["verdict"] == "unfit"


def test_a_refusal_whose_code_is_the_number_of_such_an_errno_is_the_endpoints(clean):
    clean.open(2, outcome=Outcome.REJECTED, code=errno.EMFILE)
    assert found(clean.report()) == {"open-failed": 1}


def test_a_generator_that_sends_late_makes_the_run_unfit(make):
    run = make().member(0, 1)
    for seq in range(1, 201):
        run.publish(0, seq, 3000 + seq, due=2900 + seq)
        run.deliver(0, 0, seq, 3003 + seq).deliver(1, 0, seq, 3003 + seq)
    fitness = run.report()["fitness"]
    assert words.GIVE_MORE in fitness["reasons"][0]
    assert fitness["lag_p99_ms"] == 100


def test_a_run_without_rows_is_unfit_and_still_reported(make):
    report = make().report()
    assert report["fitness"]["verdict"] == "unfit"
    assert report["fitness"]["causes"][0]["code"] == "nothing-opened"
    assert report["figures"]["response"]["all"]["p50"] is None


def test_a_killed_run_is_unfit_and_still_reported(clean):
    report = clean.report(status=None)
    assert report["fitness"]["reasons"][0] == words.KILLED
    assert report["figures"]["response"]["unaffected"]["count"] == 40
