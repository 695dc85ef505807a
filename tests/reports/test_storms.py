from harness.record.row import Closer, Kind, Outcome
from reports import sentences
from tests.fault_numbers import Fault

from .conftest import on_the_page, typed


def storm(run, sessions, at, returns, index=0):
    """All of these are reset at once; `returns` says who is back in its room after how many milliseconds."""
    for session in sessions:
        run.fault(session, Fault.DROP_RESET, at, index=index)
    for session, after in returns.items():
        run.row(Kind.RECOVERY, Outcome.OK, session=session, conn=1, seq=1, peer=Closer.US, sent=at, arrived=at + after)
    return run


def many(make, sessions=40):
    return make(load={"sessions": sessions, "rooms": 2, "ramp_s": 1.0, "duration_s": 20.0}).member(0, 1)


def test_a_storm_tells_when_half_and_all_were_back(make):
    run = storm(many(make), range(20), 5000, {session: 100 * (session + 1) for session in range(20)})
    (found,) = run.report()["storms"]
    assert (found["at_s"], found["fault"], found["dropped"], found["back"]) == (5.0, "reset", 20, 20)
    assert (found["half_s"], found["p95_s"], found["all_s"]) == (1.0, 1.9, 2.0)
    assert found["curve"][0] == [0.1, 1]
    assert found["curve"][-1] == [2.0, 20]


def test_who_never_comes_back_keeps_the_curve_below_and_all_absent(make):
    run = storm(many(make), range(20), 5000, dict.fromkeys(range(12), 500))
    report = run.report()
    (found,) = report["storms"]
    assert (found["back"], found["half_s"], found["p95_s"], found["all_s"]) == (12, 0.5, None, None)
    sentence = sentences.storm(typed(report).storms[0])
    assert "0.50 s" in sentence
    assert sentence.count(" s") == 2  # when it happened, and when half were back


def test_a_return_counts_for_the_storm_before_it_and_not_for_an_earlier_one(make):
    run = storm(many(make), range(20), 5000, {})
    storm(run, range(20), 9000, dict.fromkeys(range(20), 300))
    first, second = run.report()["storms"]
    assert (first["back"], second["back"], second["all_s"]) == (0, 20, 0.3)
    assert first["curve"] == []


def test_a_few_dropped_sessions_are_no_storm(make):
    assert storm(many(make), range(9), 5000, {0: 100}).report()["storms"] == []


def test_less_than_a_tenth_of_all_is_no_storm(make):
    assert storm(many(make, 400), range(39), 5000, {0: 100}).report()["storms"] == []


def test_a_long_curve_is_thinned_and_keeps_its_end(make):
    run = storm(many(make, 500), range(400), 5000, {session: session + 1 for session in range(400)})
    (found,) = run.report()["storms"]
    assert len(found["curve"]) == 60
    assert found["curve"][-1] == [0.4, 400]


def test_the_page_draws_the_curve(make):
    page = on_the_page(storm(many(make), range(20), 5000, dict.fromkeys(range(12), 500)).report())
    assert "reset x20 at 5 s" in page
    assert "back in their rooms, %" in page
