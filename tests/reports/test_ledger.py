"""The vectorised ledger against a slow one that says the rules word by word."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model import Outcome

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
    owed = lost = 0
    for receiver, begin, end in members:
        for sender, seq, at, outcome in messages:
            if not (outcome is Outcome.OK or (outcome is Outcome.EXPIRED and (sender, seq) in reached)):
                continue
            heard = [
                number for (who, whom, number), copies in got.items() if copies and (who, whom) == (receiver, sender)
            ]
            causal = begin + 1 <= at and at + SETTLE <= (end or end_of_run)
            # Candidates are looked for from 5 s before the join to the end of the membership.
            near = begin + 1 - 5000 <= at <= (end or end_of_run)
            gap = near and bool(heard) and min(heard) < seq < max(heard)
            if causal or gap:
                owed += 1
                lost += not got[receiver, sender, seq]
    return owed, lost, sum(max(0, copies - 1) for copies in got.values())


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
