"""Patterns: the scenarios of a mixed run side by side, so that ways of talking can be compared on one endpoint.

A delivery belongs to its receiver's scenario, a response to its sender's; only unaffected sessions count. All
scenarios share one process and the rooms, so load is the same for all, and CPU use cannot be attributed to one. What
can be compared is how long things took and how much had to be asked.
"""

from typing import NamedTuple

import msgspec
import numpy as np

from harness.record.row import Flag, Kind, Outcome

from ..ledger import live
from ..percentile import Percentiles, percentiles
from ..registry import section
from ..rows import Array, Rows, find, message_keys

REQUESTS = (Kind.JOIN, Kind.LEAVE, Kind.PUBLISH, Kind.PROBE, Kind.PING, Kind.FETCH)


class PatternFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How long things took in one scenario."""

    ready: Percentiles
    """from the connection's due time to the last of its first rooms joined"""
    response: Percentiles
    """from due to answer, of messages that the scenario sent"""
    delivery: Percentiles
    """from due to arrival, of messages that the scenario received"""
    transit: Percentiles
    """from sent to arrival, of messages that the scenario received; of a poller, with the wait for its next poll"""


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """What the unaffected sessions of one scenario did."""

    scenario: str
    """name of the scenario"""
    pattern: str
    """`websocket`, `polling` or `hybrid`"""
    sessions: int
    """number of sessions, affected ones included"""
    figures: PatternFigures
    """how long things took"""
    sent: int
    """messages sent"""
    accepted: int
    """messages accepted"""
    deliveries: int
    """deliveries received"""
    requests: int
    """HTTP requests"""
    frames: int
    """frames sent, without upgrades and keepalive pings"""
    polls: int | None
    """polls of a polling scenario"""
    polls_empty: int | None
    """polls that brought nothing"""
    polls_failed: int | None
    """polls that failed"""


class Received(NamedTuple):
    """Each delivery of an ordinary message of an unaffected sender: its receiver, and the time since due and sent."""

    receiver: Array
    since_due: Array
    since_sent: Array


@section("patterns")
def patterns(rows: Rows) -> list[Pattern] | None:
    """One entry for each scenario, in the plan's order; None when the run has only one."""
    scenarios, sessions = rows.manifest.scenarios, rows.manifest.plan.load.sessions
    if len(scenarios.names) < 2:
        return None
    delivered, source = live(rows)
    unaffected = ~rows.affected[source["session"]]
    delivered, source = delivered[unaffected], source[unaffected]
    received = Received(
        delivered["session"], delivered["arrived"] - source["due"], delivered["arrived"] - source["sent"]
    )
    return [
        _pattern(
            rows,
            (rows.scenario == index) & ~rows.affected,
            received,
            scenario=name,
            pattern=pattern,
            sessions=int(np.count_nonzero(rows.scenario[:sessions] == index)),
        )
        for index, (name, pattern) in enumerate(zip(scenarios.names, scenarios.patterns, strict=True))
    ]


def _pattern(rows: Rows, mine: Array, received: Received, *, scenario: str, pattern: str, sessions: int) -> Pattern:
    """One scenario; `mine` tells for each session number whether it is an unaffected one of it."""
    sent = rows.sent[mine[rows.sent["session"]]]
    answered = rows.answered[mine[rows.answered["session"]]]
    here = mine[received.receiver]
    requests, frames = _asked(rows, mine, pattern)
    polls = rows.of(Kind.FETCH)
    polls = polls[mine[polls["session"]]]
    empty = (polls["outcome"] == Outcome.OK) & (polls["seq"] == 0)
    failed = ~np.isin(polls["outcome"], (Outcome.OK, Outcome.ABANDONED))
    polling = pattern == "polling"
    return Pattern(
        scenario=scenario,
        pattern=pattern,
        sessions=sessions,
        figures=PatternFigures(
            ready=percentiles(_ready(rows, mine)),
            response=percentiles(answered["arrived"] - answered["due"]),
            delivery=percentiles(received.since_due[here]),
            transit=percentiles(received.since_sent[here]),
        ),
        sent=len(sent),
        accepted=int(np.count_nonzero(sent["outcome"] == Outcome.OK)),
        deliveries=int(np.count_nonzero(here)),
        requests=requests,
        frames=frames,
        polls=len(polls) if polling else None,
        polls_empty=int(np.count_nonzero(empty)) if polling else None,
        polls_failed=int(np.count_nonzero(failed)) if polling else None,
    )


def _ready(rows: Rows, mine: Array) -> Array:
    """For each connection: from when it was due to when the last of its first rooms was joined."""
    opened, joined = rows.of(Kind.OPEN, Outcome.OK), rows.of(Kind.JOIN, Outcome.OK)
    opened, joined = opened[mine[opened["session"]]], joined[mine[joined["session"]]]
    opened = opened[np.lexsort((opened["conn"], opened["session"]))]
    at, known = find(message_keys(opened["session"], opened["conn"]), message_keys(joined["session"], joined["conn"]))
    # A room with a due time of its own was joined later on, and is no part of getting ready.
    first = known & (joined["due"] == 0)
    ready = np.zeros(len(opened), np.int64)
    np.maximum.at(ready, at[first], joined["arrived"][first])
    took: Array = (ready - opened["due"])[ready > 0]
    return took


def _asked(rows: Rows, mine: Array, pattern: str) -> tuple[int, int]:
    """How many HTTP requests and how many frames were sent (without the upgrade and keepalive pings)."""
    requests = frames = 0
    for kind in REQUESTS:
        asked = rows.of(kind)
        asked = asked[mine[asked["session"]] & (asked["sent"] > 0) & (asked["flags"] & Flag.IMPLICIT == 0)]
        if pattern == "polling":
            requests += len(asked) if kind is not Kind.LEAVE else 0  # its poll has a row of its own
        elif pattern == "hybrid" and kind in (Kind.PUBLISH, Kind.PROBE):
            requests += len(asked)
        else:
            frames += len(asked)
    return requests, frames
