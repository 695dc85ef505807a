"""Every reason why a run of ours cannot be judged is found, in the process that it is true of, and no other."""

import errno
import os
from pathlib import Path

import pytest

from harness.record.row import Flag, Gauge, Kind, Outcome
from reports import words
from reports.spans import spans
from tests.fault_numbers import Fault

from .conftest import content, on_the_page

KEPT = Path(__file__).with_name("kept")
SECONDS = range(2, 22)


def busy(run, sessions=(0, 1), late=None, looked=None, flags=Flag.EXACT, leaks=0):
    """Twenty seconds of ten messages a second of each session; `late` and `looked` give ms by second."""
    run.member(*sessions)
    for second in SECONDS:
        for n in range(10):
            for session in sessions:
                due = second * 1000 + n * 100 + session
                sent = due + (late or {}).get(second, 0)
                arrived = sent + 2
                run.row(
                    Kind.PUBLISH, session=session, seq=(second - 2) * 10 + n + 1, room=0, due=due, sent=sent,
                    arrived=arrived, read=arrived + (looked or {}).get(second, 0), flags=flags,
                )  # fmt: skip
        run.sample(Gauge.CPU_PERMILLE, 400, second * 1000)
        run.sample(Gauge.OPEN_SESSIONS, len(sessions), second * 1000)
        run.sample(Gauge.DESCRIPTORS, 50 + leaks * second, second * 1000)
    return run


def test_a_generator_that_was_well_is_fit_and_says_what_it_measured(make):
    fitness = busy(make(processes=1)).report()["fitness"]
    assert (fitness["verdict"], fitness["reasons"], fitness["notes"]) == ("fit", [], [])
    (process,) = fitness["processes"]
    assert process["lag_p99_ms"] == 0
    assert process["descriptors_grown"] == 0
    assert process["stamps"]["exact"] == 1
    assert fitness["planned"] == fitness["sent"] == 400
    assert fitness["limits"]["lag_p99_ms"] == 50


def late(make):
    return busy(make(), late={14: 80, 15: 60, 16: 300})


def slow_to_look(make):
    return busy(make(), looked={9: 90})


def saturated(make):
    run = busy(make())
    for second in (11, 12, 14):
        run.sample(Gauge.CPU_PERMILLE, 970, second * 1000)
    return run


def missing_messages(make):
    return busy(make()).sample(Gauge.MISSED, 3, 21_500)


def stepped(make):
    return busy(make()).sample(Gauge.CLOCK_STEP_NS, -4_000_000)


def unstamped(make):
    return busy(make(), flags=0)


def bounded(make):
    return busy(make(), flags=Flag.BOUNDED, looked=dict.fromkeys(SECONDS, 20))


def leaking(make):
    return busy(make(), leaks=10)


def out_of(code):
    def run(make):
        found = busy(make())
        for _ in range(3):
            found.open(3, outcome=Outcome.CLOSED, code=code)
        return found

    return run


def exhausted(code):
    name = errno.errorcode[code]
    advice = words.EXHAUSTED_ADVICE.get(name, "")
    return words.EXHAUSTED.format(count=3, name=name, what=os.strerror(code), advice=advice)


def silent(make):
    run = make()
    run.member(0, 1).sample(Gauge.CPU_PERMILLE, 100, 12_000)
    run.publish(0, 1, 3000)
    run.ended = 12_000
    return run


def behind_logins(make):
    run = busy(make())
    for session in (2, 3):
        run.row(Kind.OPEN, Outcome.ABANDONED, session=session, due=100, arrived=21_000)
    return run


REASONS = {
    late: words.SENT_LATE.format(value=300.0, limit=50, when="; seconds 14-17", advice=words.GIVE_MORE),
    slow_to_look: words.READ_LATE.format(value=90.0, limit=50, when="; second 9", advice=words.GIVE_MORE),
    saturated: words.CPU.format(value=0.97, limit=0.85, when="; seconds 10-11, 13"),
    missing_messages: words.SENT_LESS.format(missed=3, planned=403),
    stepped: words.CLOCK_STEPPED.format(step_ms=4.0),
    unstamped: words.UNSTAMPED.format(share=0.9902),
    bounded: words.BOUNDED.format(share=0.9902, limit=0.5, late_ms=20),
    leaking: words.LEAKED.format(grown=140),
    out_of(errno.EMFILE): exhausted(errno.EMFILE),
    out_of(errno.EADDRNOTAVAIL): exhausted(errno.EADDRNOTAVAIL),
    out_of(errno.ENOMEM): exhausted(errno.ENOMEM),
    silent: words.FELL_SILENT.format(process=0, early_s=10),
    behind_logins: words.NEVER_LOGGED_IN.format(count=2),
}


@pytest.mark.parametrize(("wrong", "reason"), REASONS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_each_reason_is_found_alone(make, wrong, reason):
    fitness = wrong(make).report()["fitness"]
    assert fitness["reasons"] == [reason]
    assert fitness["verdict"] == "unfit"


def test_a_limit_is_the_plans(make):
    run = busy(make(fitness={"lag_p99_ms": 500.0}), late={14: 80, 15: 60, 16: 300})
    assert run.report()["fitness"]["verdict"] == "fit"


def test_bounds_that_are_tight_because_we_look_at_once_are_as_good_as_stamps(make):
    assert busy(make(), flags=Flag.BOUNDED).report()["fitness"]["verdict"] == "fit"


def test_no_stamps_are_missed_where_none_were_promised(make):
    assert busy(make(stamps="read"), flags=0).report()["fitness"]["verdict"] == "fit"


def test_a_late_second_of_a_long_run_is_a_note(make):
    run = busy(make(), sessions=range(6))
    for n in range(8):
        run.row(Kind.PUBLISH, session=0, seq=900 + n, due=5000 + n, sent=5100 + n, arrived=5101 + n, flags=Flag.EXACT)
    fitness = run.report()["fitness"]
    assert fitness["verdict"] == "fit"
    assert fitness["notes"] == [words.SENT_LATE_IN.format(when="second 5", limit=50)]
    assert fitness["unfit_seconds"] == [5]


def test_a_sick_process_is_found_among_well_ones(make):
    run = busy(make(processes=2), sessions=(0, 2, 4, 6, 8, 10, 12, 14, 16, 18))
    busy(run.process(1), sessions=(1,), late={20: 90})
    report = run.report()
    fitness = report["fitness"]
    assert report["figures"]["lag"]["all"]["p99"] < 50
    late = words.SENT_LATE.format(value=90, limit=50, when="; second 20", advice=words.GIVE_MORE)
    assert fitness["reasons"] == [words.OF_PROCESS.format(process=1, reason=late)]
    assert [one["process"] for one in fitness["processes"]] == [0, 1]


def test_a_process_that_left_no_shard_is_named(make):
    run = busy(make(processes=3))
    run.process(2)
    assert run.report()["fitness"]["reasons"] == [words.NO_ROWS.format(process=1)]


def test_a_shard_that_vanished_or_shrank_after_the_seal_is_named(make):
    run = busy(make(processes=2))
    busy(run.process(1), sessions=(2, 3))
    run.report()
    first, second = sorted(run.path.glob("shard-*.rows"))
    first.write_bytes(first.read_bytes()[:-640])
    reasons = content(run.path)["fitness"]["reasons"]
    assert any(first.name in reason for reason in reasons)
    second.unlink()
    reasons = content(run.path)["fitness"]["reasons"]
    assert any(second.name in reason for reason in reasons)
    assert words.NO_ROWS.format(process=1) in reasons


def test_a_process_that_fell_silent_before_the_others_is_named_also_in_an_interrupted_run(make):
    run = busy(make(processes=2))
    run.process(1).member(2)
    run.ended = 4000  # this one's last sample; the other's was at 30 s
    fitness = run.report("interrupted")["fitness"]
    assert fitness["reasons"] == [words.FELL_SILENT.format(process=1, early_s=18)]


@pytest.mark.parametrize(("ended_s", "load"), [(12, (1.5, 12.0, 10.5)), (0.4, (0.4, 0.4, 0.0))])
def test_an_interrupted_run_says_how_much_of_its_load_it_is_of(make, ended_s, load):
    run = busy(make())
    run.sample(Gauge.MISSED, 0, ended_s * 1000)
    report = run.report("interrupted")
    began, ended, ran = load
    assert (report["run"]["load_start_s"], report["run"]["load_end_s"]) == (began, ended)
    assert report["fitness"]["notes"] == [words.CUT_SHORT.format(ran_s=ran, planned_s=20)]


def test_the_load_of_a_killed_run_ended_with_its_last_row(make):
    run = make().member(0, 1).publish(0, 1, 5000)
    run.ended = 7000
    assert run.report(None)["run"]["load_end_s"] == 7.0


def test_connections_held_silent_explain_their_descriptors(make):
    run = make().member(0, 1, 2, 3)
    for second in SECONDS:
        held = 100 if second > 10 else 0
        run.fault(0, Fault.DROP_HALF_OPEN, 10_000) if second == 10 else None
        run.publish(0, second, second * 1000)
        at = second * 1000
        run.sample(Gauge.OPEN_SESSIONS, 200 - held, at).sample(Gauge.HELD, held, at)
        run.sample(Gauge.DESCRIPTORS, 250, at)
    assert run.report()["fitness"]["processes"][0]["descriptors_grown"] == 0


def test_bytes_that_waited_for_the_endpoint_are_told_beside_the_lag(make):
    run = late(make).sample(Gauge.UNSENT_BYTES, 70_000, 15_000)
    (reason,) = run.report()["fitness"]["reasons"]
    assert reason.endswith(words.BYTES_WAITED.format(count=70_000))


def test_messages_that_fell_due_while_a_session_was_down_are_not_ours(make):
    run = busy(make())
    for seq in range(300, 400):
        run.row(Kind.PUBLISH, Outcome.ABANDONED, session=0, seq=seq, due=9000)
    run.sample(Gauge.MISSED, 0, 21_500)
    fitness = run.report()["fitness"]
    assert (fitness["verdict"], fitness["planned"], fitness["abandoned"], fitness["missed"]) == ("fit", 500, 100, 0)


def test_who_was_open_once_may_be_at_its_login_at_the_end(make):
    again = busy(make()).row(Kind.OPEN, Outcome.ABANDONED, session=0, conn=1, due=19_000, arrived=21_000)
    fitness = again.report()["fitness"]
    assert (fitness["verdict"], fitness["never_logged_in"]) == ("fit", 0)


def test_a_run_interrupted_by_hand_may_have_sessions_at_their_login(make):
    fitness = behind_logins(make).report("interrupted")["fitness"]
    assert (fitness["verdict"], fitness["never_logged_in"]) == ("fit", 2)


def test_seconds_in_words():
    assert spans([14, 15, 16, 21]) == "seconds 14-16, 21"
    assert spans([3]) == "second 3"
    assert spans([3, 4]) == "seconds 3-4"
    assert spans([]) == ""
    assert spans(range(0, 40, 2)) == "seconds 0, 2, 4, 6, 8, 10, 12, 14 and 12 more"


@pytest.mark.parametrize("kept", ["format-1"])
def test_a_run_of_an_older_squall_is_reported_with_what_it_has(kept):
    report = content(KEPT / kept)
    fitness = report["fitness"]
    assert fitness["verdict"] == "fit", fitness["reasons"]
    assert report["figures"]["response"]["all"]["count"] == 96
    assert (fitness["planned"], fitness["sent"], fitness["missed"]) == (96, 96, None)
    assert fitness["processes"][0]["missed"] is None
    assert report["ledger"]["all"]["paid"] == 288
    assert "<svg" in on_the_page(report)
