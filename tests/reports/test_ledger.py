"""The vectorised ledger against a slow one that says the rules word by word."""

import itertools
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.record.row import Closer, Kind, Outcome

from .conftest import Made

SETTLE = 1000


@st.composite
def stories(draw):
    """Who is in the room from when to when, who said what when, and who got it."""
    people = draw(st.integers(2, 4))
    members = []
    for session in range(people):
        begin = draw(st.integers(100, 4000))
        end = draw(st.one_of(st.none(), st.integers(begin + 1, 9000)))
        members.append((session, begin, end))
    messages = []
    for session in range(people):
        times = sorted(draw(st.lists(st.integers(100, 9000), max_size=5, unique=True)))
        for seq, at in enumerate(times, 1):
            messages.append((session, seq, at, draw(st.sampled_from((Outcome.OK, Outcome.REJECTED, Outcome.EXPIRED)))))
    got = {
        (receiver, sender, seq): draw(st.integers(0, 2)) for receiver, _, _ in members for sender, seq, _, _ in messages
    }
    return members, messages, got


def slow(members, messages, got):
    """Owed, lost, duplicated by the rules as they are written."""
    end_of_run = 30_000
    reached = {(sender, seq) for (_, sender, seq), copies in got.items() if copies}
    owed = lost = doubled = 0
    sent = {(sender, seq): at for sender, seq, at, _ in messages}
    for receiver, begin, end in members:
        for sender, seq, at, outcome in messages:
            if not (outcome is Outcome.OK or (outcome is Outcome.EXPIRED and (sender, seq) in reached)):
                continue
            heard = [
                number
                for (who, whom, number), copies in got.items()
                if copies and (who, whom) == (receiver, sender) and sent[whom, number] >= begin + 1
            ]
            causal = begin + 1 <= at and at + SETTLE <= (end or end_of_run)
            # Candidates are looked for from 5 s before the join to the end of the membership.
            near = begin + 1 - 5000 <= at <= (end or end_of_run)
            gap = near and bool(heard) and min(heard) < seq < max(heard)
            if causal or gap:
                owed += 1
                lost += not got[receiver, sender, seq]
        doubled += sum(
            max(0, copies - 1)
            for (who, *message), copies in got.items()
            if who == receiver and sent[tuple(message)] >= begin + 1
        )
    return owed, lost, doubled


@settings(max_examples=60, deadline=None)
@given(stories())
def test_the_ledger_agrees_with_the_rules_as_they_are_written(story):
    members, messages, got = story
    with tempfile.TemporaryDirectory() as base:
        run = Made(Path(base))
        for session, begin, end in members:
            run.open(session).join(session, begin)
            if end is not None:
                run.close(session, end)
        for sender, seq, at, outcome in messages:
            run.publish(sender, seq, at, outcome, code=403 if outcome is Outcome.REJECTED else 0)
        for (receiver, sender, seq), copies in got.items():
            for _ in range(copies):
                run.deliver(receiver, sender, seq, 9500)
        books = run.report()["ledger"]["all"]
    assert (books["owed"], books["lost"], books["duplicated"]) == slow(members, messages, got)


@st.composite
def comings_and_goings(draw):
    """Everybody enters and leaves the room again and again; one speaks; who got what when is left to chance."""
    stays = {}
    for session in range(draw(st.integers(1, 3))):
        times = sorted(draw(st.lists(st.integers(1, 60), min_size=1, max_size=7, unique=True)))
        stays[session] = [
            (100 * begin, 100 * end if end is not None else None)
            for begin, end in itertools.zip_longest(times[::2], times[1::2])
        ]
    said = [(seq, 100 * at + 50) for seq, at in enumerate(sorted(draw(st.sets(st.integers(1, 70), max_size=8))), 1)]
    got = [
        (receiver, seq, at + 100 * draw(st.integers(0, 12)) + 3)
        for receiver in stays
        for seq, at in said
        for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2))))
    ]
    return stays, said, got


def slow_churn(stays, said, got):
    """Owed, lost, duplicated and leaked where a room is entered and left many times, word by word."""
    end_of_run = 30_000
    when = dict(said)
    owed = lost = leaked = 0
    heard = {}  # without history
    everything = {}
    for receiver, seq, arrived in got:
        still = [n for n, (_, end) in enumerate(stays[receiver]) if end is None or end + 1 >= when[seq]]
        stay = still[0] if still else len(stays[receiver]) - 1
        everything.setdefault((receiver, stay), set()).add(seq)
        if when[seq] >= stays[receiver][stay][0] + 1:
            heard.setdefault((receiver, stay), []).append(seq)
        asked = [end for begin, end in stays[receiver] if begin <= arrived]
        leaked += not asked or (asked[-1] is not None and asked[-1] + 1 < when[seq])
    for receiver, mine in stays.items():
        for n, (begin, end) in enumerate(mine):
            seqs = heard.get((receiver, n), [])
            for seq, at in said:
                causal = begin + 1 <= at and at + SETTLE <= (end or end_of_run)
                near = begin + 1 - 5000 <= at <= (end or end_of_run)
                if causal or (near and seqs and min(seqs) < seq < max(seqs)):
                    owed += 1
                    lost += seq not in everything.get((receiver, n), ())
    return owed, lost, sum(len(seqs) - len(set(seqs)) for seqs in heard.values()), leaked


@settings(max_examples=100, deadline=None)
@given(comings_and_goings())
def test_the_ledger_agrees_with_the_rules_where_people_come_and_go_on_one_connection(story):
    stays, said, got = story
    with tempfile.TemporaryDirectory() as base:
        run = Made(Path(base)).open(9).join(9, 10)
        for session, mine in stays.items():
            run.open(session)
            for begin, end in mine:
                run.join(session, begin)
                if end is not None:
                    run.leave(session, end)
        for seq, at in said:
            run.publish(9, seq, at).deliver(9, 9, seq, at + 2)
        for receiver, seq, arrived in got:
            run.deliver(receiver, 9, seq, arrived)
        books = run.report()["ledger"]["all"]
    owed, lost, duplicated, leaked = slow_churn(stays, said, got)
    alone, _, _, _ = slow_churn({9: [(10, None)]}, said, [(9, seq, at + 2) for seq, at in said])
    found = (books["owed"], books["lost"], books["duplicated"], books["leaked"])
    assert found == (owed + alone, lost, duplicated, leaked)


def test_who_leaves_of_their_own_will_has_missed_nothing(make):
    run = make().member(0, 1).leave(1, 3000).publish(0, 1, 4000).deliver(0, 0, 1, 4002).join(1, 5000)
    assert run.report()["ledger"]["missed_while_away"] == 0


def test_who_was_dropped_has_missed_what_was_said_meanwhile(make):
    run = make().member(0, 1).close(1, 3000, closer=Closer.RESET, code=104).publish(0, 1, 4000).deliver(0, 0, 1, 4002)
    run.open(1, 4900, conn=1).join(1, 5000, conn=1)
    assert run.report()["ledger"]["missed_while_away"] == 1


def test_a_message_that_left_after_its_time_out_was_sent_by_somebody(make):
    made = make().member(0, 1).publish(1, 2, 9000)
    made.row(Kind.PUBLISH, Outcome.EXPIRED, session=1, seq=1, room=0, due=3000).deliver(0, 1, 1, 14_000)
    assert made.report()["ledger"]["unknown"] == 0


def test_a_message_that_was_abandoned_cannot_be_delivered(make):
    made = make().member(0, 1).publish(1, 2, 9000)
    made.row(Kind.PUBLISH, Outcome.ABANDONED, session=1, seq=1, room=0, due=3000).deliver(0, 1, 1, 14_000)
    assert made.report()["ledger"]["unknown"] == 1
