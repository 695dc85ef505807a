"""What was planned and not carried out, refused, unanswered or garbled, by action and way of talking."""

import errno

import pytest

from harness.record.row import Closer, Flag, Kind, Outcome
from tests.fault_numbers import Fault

from .conftest import on_the_page, on_the_terminal

UNPROMISED = {"throttle_per_s": None, "throttle_burst": None}


def found(report):
    return {name: count for name, count in report["finding_counts"].items() if count}


def ways(make, **plan):
    """A run whose even sessions talk over the WebSocket, and whose odd ones post and poll."""
    scenarios = {"names": ["chat", "polling"], "patterns": ["websocket", "polling"], "parts": [0, 1]}
    return make(scenarios=scenarios, **plan).member(0, 1, 2, 3)


def ask(run, kind, outcome, session=0, at=5000, code=0, **columns):
    sent = 0 if outcome is Outcome.ABANDONED else at
    arrived = at + 2 if outcome in (Outcome.OK, Outcome.REJECTED, Outcome.GARBLED) else 0
    return run.row(
        kind, outcome, session=session, room=0, due=at, sent=sent, arrived=arrived, code=code, **columns
    )  # fmt: skip


def test_requests_are_counted_by_action_and_way(make):
    run = ways(make)
    for seq, outcome in enumerate((Outcome.OK, Outcome.REJECTED, Outcome.CLOSED, Outcome.EXPIRED, Outcome.GARBLED), 1):
        ask(run, Kind.PUBLISH, outcome, seq=seq, code=429)
    ask(run, Kind.PUBLISH, Outcome.ABANDONED, seq=6)
    ask(run, Kind.PUBLISH, Outcome.OK, session=1, seq=1)
    ask(run, Kind.PUBLISH, Outcome.OK, seq=7, flags=Flag.BURST)  # no ordinary one
    ask(run, Kind.FETCH, Outcome.OK, session=1)
    requests = run.report()["requests"]
    assert requests["publish"]["ws"] == {
        "due": 6, "ok": 1, "refused": 1, "closed": 1, "unanswered": 1, "garbled": 1, "unknown": 0, "not_sent": 1,
        "refused_share": 0.2,
    }  # fmt: skip
    assert requests["publish"]["rest"]["due"] == requests["fetch"]["poll"]["due"] == 1
    assert requests["join"].keys() == {"ws", "poll"}
    assert "ping" not in requests


def test_a_share_of_none_sent_is_absent(make):
    run = make().member(0)
    ask(run, Kind.PUBLISH, Outcome.ABANDONED, seq=1)
    assert run.report()["requests"]["publish"]["ws"]["refused_share"] is None


def test_refusals_stand_near_the_top_of_terminal_and_page(clean):
    ask(clean, Kind.PUBLISH, Outcome.REJECTED, seq=99, code=403)
    report = clean.report()
    text = on_the_terminal(report)
    assert "publish (ws): 1 of 41 refused (2.4%)" in text
    assert text.index("publish (ws)") < text.index("p99.9")
    page = on_the_page(report)
    assert page.index("refused of 49 requests") < page.index("<h2>")


# -- garbled answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING, Kind.FETCH])
@pytest.mark.parametrize("session", [0, 1])
def test_an_answer_that_is_rubbish_is_found_whatever_was_asked_and_however(make, kind, session):
    run = ways(make)
    ask(run, kind, Outcome.GARBLED, session=session, seq=1)
    report = run.report()
    assert report["finding_counts"]["garbled-answer"] == 1
    assert report["verdict"]["verdict"] == "fail"


def test_right_answers_are_counted_and_none_is_garbled(clean):
    report = clean.report()
    assert report["verdict"]["judged"]["garbled-answer"] == {"found": 0, "looked_at": 44, "of": "answers"}


# -- logins --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.CLOSED, Outcome.EXPIRED, Outcome.GARBLED])
def test_a_login_without_a_token_is_found(clean, outcome):
    ask(clean, Kind.LOGIN, Outcome.OK)
    ask(clean, Kind.LOGIN, outcome, session=1)
    report = clean.report()
    assert report["finding_counts"]["login-failed"] == 1
    assert report["verdict"]["judged"]["login-failed"]["looked_at"] == 2


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.ABANDONED, 0), (Outcome.CLOSED, errno.EMFILE)])
def test_a_login_that_failed_on_our_side_is_none(clean, outcome, code):
    ask(clean, Kind.LOGIN, outcome, code=code)
    assert clean.report()["finding_counts"]["login-failed"] is None


# -- refused without a promise -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING, Kind.FETCH])
def test_a_throttle_that_is_not_promised_is_found(make, kind):
    run = ways(make, contract=UNPROMISED).chatter((0, 2))
    ask(run, kind, Outcome.REJECTED, code=429, seq=99, at=9000)
    report = run.report()
    assert report["finding_counts"]["throttled-unpromised"] == 1
    assert report["verdict"]["verdict"] == "fail"


def test_a_throttle_that_is_promised_is_not_judged_here(clean):
    report = clean.report()
    assert report["finding_counts"]["throttled-unpromised"] is None
    assert "throttled-unpromised" in report["not_judged"]


def test_a_promise_for_sockets_is_none_for_posts(make):
    run = ways(make)
    ask(run, Kind.PUBLISH, Outcome.REJECTED, session=1, code=429, seq=99)
    assert run.report()["finding_counts"]["throttled-unpromised"] == 1


def test_a_burst_explains_what_is_refused_after_it(make):
    run = make(contract=UNPROMISED).member(0, 1).chatter((0, 1)).fault(0, Fault.BURST, 8000)
    ask(run, Kind.PUBLISH, Outcome.REJECTED, code=429, seq=98, at=8000, flags=Flag.BURST)
    ask(run, Kind.PUBLISH, Outcome.REJECTED, code=429, seq=99, at=8100)
    assert run.report()["finding_counts"]["throttled-unpromised"] == 0


# -- never sent ----------------------------------------------------------------------------------------------------


def test_a_message_that_was_never_sent_is_found(clean):
    ask(clean, Kind.PUBLISH, Outcome.ABANDONED, seq=99)
    report = clean.report()
    assert report["finding_counts"]["not-sent"] == sum(found(report).values()) == 1
    assert report["verdict"]["judged"]["not-sent"]["looked_at"] == 41


@pytest.mark.parametrize(("before_ms", "count"), [(-1, 0), (0, 0), (1000, 0), (1001, 1)])
def test_what_fell_due_when_we_ended_the_connection_is_ours(clean, before_ms, count):
    clean.close(3, 20_000)
    ask(clean, Kind.PUBLISH, Outcome.ABANDONED, session=3, seq=99, at=20_000 - before_ms)
    assert clean.report()["finding_counts"]["not-sent"] == count


def keep_out(run):
    run.open(4)
    ask(run, Kind.JOIN, Outcome.REJECTED, session=4, code=429, at=3000)


def never_answer(run):
    run.open(4)
    ask(run, Kind.JOIN, Outcome.EXPIRED, session=4, at=3000)


def turn_away(run):
    run.open(4, outcome=Outcome.REJECTED, code=503)


def hang_up(run):
    run.open(4).join(4, room=1).close(4, 4000, closer=Closer.ENDPOINT, code=1011)


def drop(run):
    run.open(4).join(4, room=1).fault(4, Fault.DROP_RESET, 4000).close(4, 4000, code=1006)


def fall_behind(run):
    run.row(Kind.OPEN, Outcome.ABANDONED, session=4, due=1000)


@pytest.mark.parametrize(
    ("why", "name"),
    [
        (keep_out, "refused-joins"),
        (never_answer, "unanswered"),
        (turn_away, "open-failed"),
        (hang_up, "unexpected-close"),
        (drop, None),
        (fall_behind, None),
    ],
)
def test_what_explains_it_is_the_finding(clean, why, name):
    why(clean)
    for seq in range(1, 4):
        ask(clean, Kind.PUBLISH, Outcome.ABANDONED, session=4, seq=seq, at=5000 + seq)
    report = clean.report()
    assert found(report) == ({name: 1} if name else {})
    assert report["requests"]["publish"]["ws"]["not_sent"] == 3
    assert (report["verdict"]["verdict"] == "pass") is (name is None and why is drop)


# -- unanswered ----------------------------------------------------------------------------------------------------


def test_unanswered_requests_are_named_by_action_and_way(make):
    run = ways(make)
    ask(run, Kind.PUBLISH, Outcome.EXPIRED, session=1, seq=1)
    ask(run, Kind.JOIN, Outcome.EXPIRED, session=0)
    report = run.report()
    (finding,) = [one for one in report["findings"] if one["name"] == "unanswered"]
    assert (finding["count"], finding["text"].endswith(": 1 join (ws), 1 publish (rest)")) == (2, True)


def test_what_could_not_be_answered_is_not_judged(make):
    run = make().open(0)
    assert run.report()["finding_counts"]["unanswered"] is None


# -- nothing to look at --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["garbled", "unexpected-close", "open-failed", "wrongly-rejected", "unanswered"])
def test_without_anything_to_look_at_nothing_is_judged(make, name):
    run = make()
    run.row(Kind.OPEN, Outcome.ABANDONED, session=0, due=1000)
    report = run.report()
    assert (report["finding_counts"][name], name in report["not_judged"]) == (None, True)
