"""Injections on a fake clock: what is recorded, what is lifted, and when; with a fault that is made for it."""

from types import SimpleNamespace

import pytest

from harness.client.patterns.conversation import Conversation
from harness.client.session import Session
from harness.client.tally import Tally
from harness.faults.fault import HANDLERS, Fault
from harness.faults.injector import FIRST_NS, Injector
from harness.plan import build_plan
from harness.plan.fault_registry import faults
from harness.record.row import Kind, Outcome
from harness.transport.clock import SECOND, FakeClock

SESSIONS = 4
START = 5 * SECOND


class FakeSession:
    """An open session and its connection, which remember what was asked of them; tests/client/test_fakes.py."""

    conn = 2
    rooms = frozenset({3, 1})
    is_settled = True
    is_open = True

    def __init__(self):
        self.calls = []

    def take_socket(self):
        return self if self.is_open else None

    def __getattr__(self, name):
        if not hasattr(Session, name) and not hasattr(Conversation, name):
            raise AttributeError(f"neither a session nor its connection has a {name}")
        return lambda *arguments, **named: self.calls.append(name)


class FakeRun:
    """One process's injector over fake sessions."""

    def __init__(self, *chaos, skipped=(), duration_s=20.0):
        load = {"sessions": SESSIONS, "ramp_s": 1.0, "duration_s": duration_s}
        self.plan = build_plan({"load": load, "chaos": list(chaos)})
        self.clock = FakeClock(START)
        self.rows = []
        self.tally = Tally(1, True)
        context = SimpleNamespace(
            plan=self.plan, clock=self.clock, tally=self.tally,
            recorder=SimpleNamespace(row=lambda *row: self.rows.append(row)),
        )  # fmt: skip
        self.sessions = {number: FakeSession() for number in range(SESSIONS)}
        self.injector = Injector(context, self.sessions, "text", {}, frozenset(skipped))
        self.injector.schedule(START)

    def at(self, seconds):
        self.clock.advance(START + round(seconds * SECOND) - self.clock.now())
        return self

    def seen(self, kind):
        return [row for row in self.rows if row[0] is kind]


def half_open(**keys):
    return {"fault": "drop", "how": "half-open", "at_s": 2.0, "count": 2} | keys


def stall(**keys):
    return half_open(how="stall") | keys


def test_an_injection_is_recorded_with_its_number_connection_and_lowest_room():
    run = FakeRun(stall(count=1)).at(3)
    (row,) = run.rows
    kind, outcome, _flags, code, session, conn, room, index, occurrence, due, done = row
    assert (kind, outcome, code, conn, room, index, occurrence) == (Kind.FAULT, Outcome.OK, 5, 2, 1, 0, 0)
    assert due == START + 2 * SECOND == done + FIRST_NS
    assert run.sessions[session].calls == ["silence"]


def test_an_injection_comes_before_a_message_that_is_due_at_the_same_time():
    run = FakeRun(stall(count=4))
    seen = []
    run.clock.at(START + 2 * SECOND, lambda: seen.append(len(run.seen(Kind.FAULT))))
    run.at(3)
    assert seen == [4]


def test_what_is_held_is_lifted_after_its_time_and_not_before():
    run = FakeRun(stall(hold_s=3.0)).at(4.9)
    assert run.injector.held == 2
    assert not run.seen(Kind.LIFT)
    run.at(5.1)
    assert run.injector.held == 0
    assert len(run.seen(Kind.LIFT)) == 2
    assert sorted(call for each in run.sessions.values() for call in each.calls) == ["reset"] * 2 + ["silence"] * 2


def test_what_is_held_without_a_time_is_lifted_at_the_end_once():
    run = FakeRun(stall()).at(19)
    run.injector.lift_all()
    run.injector.lift_all()
    assert len(run.seen(Kind.LIFT)) == 2


def test_a_fault_that_is_done_at_once_is_never_lifted():
    run = FakeRun({"fault": "drop", "how": "reset", "at_s": 2.0, "count": 2}).at(3)
    run.injector.lift_all()
    assert len(run.seen(Kind.FAULT)) == 2
    assert not run.seen(Kind.LIFT)


def test_a_session_that_is_not_open_is_recorded_and_left_alone():
    run = FakeRun(stall(count=4))
    run.sessions[1].is_open = False
    run.at(3)
    assert {row[4]: row[1] for row in run.seen(Kind.FAULT)} == {
        0: Outcome.OK, 1: Outcome.ABANDONED, 2: Outcome.OK, 3: Outcome.OK
    }  # fmt: skip
    assert run.sessions[1].calls == []


def test_a_skipped_fault_is_not_injected_and_the_others_keep_their_sessions():
    both = (stall(count=1), {"fault": "drop", "how": "reset", "at_s": 3.0, "count": 1})
    alone, beside = FakeRun(*both, skipped=["stall"]).at(4), FakeRun(*both).at(4)
    assert [row[4] for row in alone.seen(Kind.FAULT)] == [row[4] for row in beside.seen(Kind.FAULT) if row[3] == 3]


def test_nothing_is_injected_after_a_halt():
    run = FakeRun(half_open(how="reset", at_s=None, every_s=2.0)).at(3)
    run.injector.halt()
    before = len(run.rows)
    run.at(15)
    assert len(run.rows) == before == 2
    assert len(run.tally.acts) == 1


def test_a_repeated_fault_is_injected_each_time_and_shown():
    run = FakeRun(half_open(how="reset", at_s=None, every_s=2.0, until_s=7.0)).at(15)
    assert [row[8] for row in run.seen(Kind.FAULT)] == [0, 0, 1, 1, 2, 2]
    assert [(act.at_ns, act.text) for act in run.tally.acts] == [(at * SECOND, "drop reset x 2") for at in (2, 4, 6)]


def test_a_fault_that_goes_on_for_months_waits_on_the_clock_one_occurrence_at_a_time():
    run = FakeRun(half_open(how="reset", at_s=None, every_s=5.0), duration_s=1e9)
    assert len(run.clock._heap) == 1
    run.at(6)
    assert len(run.seen(Kind.FAULT)) == 2


def test_the_injector_asks_the_fault_alone_what_to_do(monkeypatch):
    done = []

    class Counted(Fault):
        kind = faults()["burst"]

        @classmethod
        def prepare(cls, run):
            done.append("prepare")

        def inject(self):
            done.append(("inject", self.options.messages, self.target.session.conn))

        def lift(self):
            done.append("lift")

    monkeypatch.setitem(HANDLERS, "burst", Counted)
    run = FakeRun({"fault": "burst", "messages": 7, "at_s": 2.0, "count": 1}).at(3)
    run.injector.lift_all()
    assert done == ["prepare", ("inject", 7, 2), "lift"]


def test_a_burst_ends_with_its_last_answer():
    run = FakeRun({"fault": "burst", "messages": 3, "at_s": 2.0, "count": 1})
    answers = []
    for session in run.sessions.values():
        session.publish = lambda room, text, due, burst, done: answers.append((room, due, done))
    run.at(3)
    assert [(room, due) for room, due, _ in answers] == [(1, START + 2 * SECOND)] * 3
    for number, (_, _, done) in enumerate(answers):
        assert len(run.seen(Kind.LIFT)) == 0, number
        done(Outcome.OK, 0)
    assert len(run.seen(Kind.LIFT)) == 1


@pytest.mark.parametrize(("outcome", "sent"), [(Outcome.REJECTED, 3), (Outcome.ABANDONED, 8)])
def test_malformed_payloads_are_sent_one_after_the_other_until_so_many_were_answered(outcome, sent):
    run = FakeRun({"fault": "malformed", "messages": 3, "at_s": 2.0, "count": 1})
    probes = []
    for session in run.sessions.values():
        session.posts = False
        session.next_message = lambda room, text: SimpleNamespace(seq=len(probes))
        session.dialect = SimpleNamespace(publish=lambda message: b'{"requestId":"k-1-1","text":"hi"}')
        session.probe = lambda data, seq, damage, room, done: probes.append((data, seq, done))
    run.at(3)
    answered = 0
    while answered < len(probes) and answered < 8:
        probes[answered][2](outcome, 0)
        answered += 1
        run.clock.advance(SECOND)
    assert answered == sent
    assert len(run.seen(Kind.LIFT)) == (outcome is Outcome.REJECTED)
