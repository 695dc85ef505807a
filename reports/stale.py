"""The stale report: of the connections that we dropped, which did the endpoint notice, and how long after.

It must not know how the list was had. The subtle thing: the list is seen only every now and then, so a noticing lies
between two polls and is given as two bounds; and a silent connection that we let go of at last (LIFT) ends with a
reset, which anybody notices, so only what vanished before that counts.
"""

from typing import Any

import numpy as np

from harness.record.row import Kind, Outcome

from .figures import percentiles
from .rows import Rows

SLACK_NS = 1_000_000_000
Where = tuple[int, int]


def stale(rows: Rows) -> dict[str, Any] | None:
    """The report by way of dropping; None when nobody looked at a list."""
    polls = rows.of(Kind.POLL)
    good = polls[polls["outcome"] == Outcome.OK]
    if not len(good):
        return None
    gone = {(int(row["session"]), int(row["conn"])): row for row in rows.of(Kind.GONE)}
    seen = {(int(row["session"]), int(row["conn"])) for row in rows.of(Kind.SEEN)}
    lifts = {(int(row["session"]), int(row["peer"]), int(row["seq"])): int(row["sent"]) for row in rows.of(Kind.LIFT)}
    faults = rows.of(Kind.FAULT, Outcome.OK)
    drops = faults[np.isin(faults["code"], rows.fault_kinds.drops)]
    polled = rows.polled[drops["session"]]
    unlisted, drops = drops[polled], drops[~polled]
    promise = rows.contract["stale_within_s"]
    last_look = int(good["sent"].max())
    by_way: dict[str, Any] = {}
    for code in np.unique(drops["code"]):
        cases = [_judge(row, gone, seen, lifts, last_look, promise) for row in drops[drops["code"] == code]]
        by_way[rows.fault_kinds.label(int(code))] = _summed(cases)
    totals = {
        name: sum(way[name] for way in by_way.values())
        for name in ("dropped", "noticed", "late", "overdue", "unnoticed", "too_early_to_tell", "unseen")
    }
    intervals = np.diff(good["sent"])
    return {
        "by_way": by_way,
        **totals,
        "forgotten": _forgotten(rows, gone),
        "promise_s": promise,
        "resolution_ms": round(float(np.median(intervals)) / 1e6, 1) if len(intervals) else None,
        "polls": len(polls),
        "polls_failed": len(polls) - len(good),
        "listed_last": int(good["peer"][-1]),
        "not_listed": len(unlisted),
    }


def _judge(
    fault: Any, gone: dict[Where, Any], seen: set[Where], lifts: dict[tuple[int, int, int], int], last_look: int,
    promise: float | None,
) -> tuple[str, int, int]:  # fmt: skip
    """One dropped connection: what became of it, and the bounds of when (ns after the drop)."""
    where = (int(fault["session"]), int(fault["conn"]))
    dropped = int(fault["sent"])
    lift = lifts.get((where[0], int(fault["peer"]), int(fault["seq"])))
    row = gone.get(where)
    if where not in seen and row is None:
        return "unseen", 0, 0
    if row is not None and (lift is None or int(row["arrived"]) <= lift):
        low, high = max(0, int(row["sent"]) - dropped), max(0, int(row["arrived"]) - dropped)
        late = promise is not None and low > promise * 1e9
        return "late" if late else "noticed", low, high
    watched = min(last_look, lift if lift is not None else last_look) - dropped
    if promise is None:
        return "unnoticed", 0, 0
    return ("overdue" if watched > promise * 1e9 else "too_early_to_tell"), 0, 0


def _summed(cases: list[tuple[str, int, int]]) -> dict[str, Any]:
    kinds = [kind for kind, _, _ in cases]
    bounds = [(low, high) for kind, low, high in cases if kind in ("noticed", "late")]
    return {
        "dropped": len(cases),
        "noticed": len(bounds),
        **{kind: kinds.count(kind) for kind in ("late", "overdue", "unnoticed", "too_early_to_tell", "unseen")},
        "noticed_at_most": percentiles(np.array([high for _, high in bounds], np.int64)),
        "noticed_at_least": percentiles(np.array([low for low, _ in bounds], np.int64)),
    }


def _forgotten(rows: Rows, gone: dict[Where, Any]) -> int:
    """Connections that vanished from the list while they were alive and nobody had touched them."""
    ended: dict[Where, int] = {}
    faults = rows.of(Kind.FAULT, Outcome.OK)
    for row in faults[np.isin(faults["code"], rows.fault_kinds.drops)]:
        ended[int(row["session"]), int(row["conn"])] = int(row["sent"])
    for row in rows.of(Kind.CLOSE):
        where = (int(row["session"]), int(row["conn"]))
        when = int(row["sent"] or row["arrived"])
        ended[where] = min(ended.get(where, when), when)
    return sum(1 for where, row in gone.items() if int(row["arrived"]) + SLACK_NS < ended.get(where, rows.last_ns))
