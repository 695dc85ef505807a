"""Patterns: the scenarios of a mixed run side by side, so that ways of talking can be compared on one endpoint.

It must not know files or pictures. A delivery belongs to its receiver's scenario, a response to its sender's; only
untouched sessions count. The subtle thing: everybody shares this process and these rooms, so load is the same for all
and CPU cannot be told apart; what can is how long things took and how much had to be asked.
"""

from typing import Any

import numpy as np

from harness.record.row import Flag, Kind, Outcome

from .figures import percentiles
from .rows import Array, Rows, find, message_keys, sources

ASKED = (Kind.JOIN, Kind.LEAVE, Kind.PUBLISH, Kind.PROBE, Kind.PING, Kind.FETCH)
SHOWN = (
    ("ready", "ready", "due to open, to being in every room"),
    ("response", "response", "due to answer"),
    ("delivery", "delivery", "due to arrival here"),
    ("transit", "transit", "sent to arrival here"),
)
"""The figures that views show: key, name, meaning."""
COUNTED = (
    ("sessions", "sessions"),
    ("sent", "messages sent"),
    ("deliveries", "deliveries"),
    ("requests", "HTTP requests"),
    ("frames", "frames sent"),
    ("polls_empty", "polls for nothing"),
)
"""The counts that views show."""


def patterns(rows: Rows) -> list[dict[str, Any]] | None:
    """One entry a scenario, in the plan's order; None when the run has but one."""
    scenarios = rows.manifest.get("scenarios", {})
    names, kinds = scenarios.get("names", []), scenarios.get("patterns", [])
    if len(names) < 2:
        return None
    sessions = int(rows.manifest["plan"]["load"]["sessions"])
    published = rows.of(Kind.PUBLISH)
    published = published[published["sent"] > 0]
    heard = _heard(rows, published)
    found = []
    for part, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        count = int(np.count_nonzero(rows.parts[:sessions] == part))
        mine = (rows.parts == part) & ~rows.faulted
        entry = _entry(rows, mine, kind, published, heard)
        found.append({"scenario": name, "pattern": kind, "sessions": count, **entry})
    return found


def _entry(rows: Rows, mine: Array, kind: str, published: Array, heard: dict[str, Array]) -> dict[str, Any]:
    """What the untouched sessions of one scenario did, asked and heard; `mine` says which those are, by number."""
    said = published[mine[published["session"]]]
    answered = said[(said["outcome"] == Outcome.OK) & (said["arrived"] > 0) & (said["flags"] & Flag.BURST == 0)]
    here = mine[heard["receiver"]]
    polls = rows.of(Kind.FETCH)
    polls = polls[mine[polls["session"]]]
    requests, frames = _asked(rows, mine, kind)
    return {
        "figures": {
            "ready": percentiles(_ready(rows, mine)),
            "response": percentiles(answered["arrived"] - answered["due"]),
            "delivery": percentiles(heard["late"][here]),
            "transit": percentiles(heard["transit"][here]),
        },
        "sent": len(said),
        "accepted": int(np.count_nonzero(said["outcome"] == Outcome.OK)),
        "deliveries": int(np.count_nonzero(here)),
        "requests": requests,
        "frames": frames,
        "polls": len(polls) if kind == "polling" else None,
        "polls_empty": int(np.count_nonzero((polls["outcome"] == Outcome.OK) & (polls["seq"] == 0)))
        if kind == "polling"
        else None,
        "polls_failed": int(np.count_nonzero(~np.isin(polls["outcome"], (Outcome.OK, Outcome.ABANDONED))))
        if kind == "polling"
        else None,
    }


def _heard(rows: Rows, published: Array) -> dict[str, Array]:
    """For each delivery of an ordinary message of an untouched sender: who heard it, since due and since sent."""
    delivered, source = sources(rows, published[~rows.faulted[published["session"]]])
    return {
        "receiver": delivered["session"],
        "late": delivered["arrived"] - source["due"],
        "transit": delivered["arrived"] - source["sent"],
    }


def _ready(rows: Rows, mine: Array) -> Array:
    """For each opening: from when it was due to when the last of its first rooms was joined."""
    opened, joined = rows.of(Kind.OPEN, Outcome.OK), rows.of(Kind.JOIN, Outcome.OK)
    opened, joined = opened[mine[opened["session"]]], joined[mine[joined["session"]]]
    opened = opened[np.lexsort((opened["conn"], opened["session"]))]
    at, known = find(message_keys(opened["session"], opened["conn"]), message_keys(joined["session"], joined["conn"]))
    # A room that was joined in its own time, due by itself, is no part of getting ready.
    first = known & (joined["due"] == 0)
    ready = np.zeros(len(opened), np.int64)
    np.maximum.at(ready, at[first], joined["arrived"][first])
    took: Array = (ready - opened["due"])[ready > 0]
    return took


def _asked(rows: Rows, mine: Array, kind: str) -> tuple[int, int]:
    """How many HTTP requests and how many frames were sent (the upgrade and keepalive pings not counted)."""
    requests = frames = 0
    for what in ASKED:
        found = rows.of(what)
        found = found[mine[found["session"]] & (found["sent"] > 0) & (found["flags"] & Flag.IMPLICIT == 0)]
        if kind == "polling":
            requests += len(found) if what is not Kind.LEAVE else 0  # its poll has a row of its own
        elif kind == "hybrid" and what in (Kind.PUBLISH, Kind.PROBE):
            requests += len(found)
        else:
            frames += len(found)
    return requests, frames
