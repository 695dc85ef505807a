"""The time line: what happened in each second of the run, with the acts of chaos; for plots and for finding holes.

It must not know how it is drawn. All series are in step; an absent value is None.
"""

from typing import Any

import numpy as np

from harness.record.row import Flag, Kind, Outcome

from .percentile import percentile
from .rows import NOT_OUR_LAG, Array, Rows

SECOND = 1_000_000_000
MOST_SECONDS = 7 * 24 * 3600


def timeline(rows: Rows) -> dict[str, Any]:
    """Counts and percentiles by second since the run began, and the acts."""
    length = min(MOST_SECONDS, max(1, (rows.last_ns - rows.start_ns) // SECOND + 1))
    published = rows.of(Kind.PUBLISH)
    sent = published[published["sent"] > 0]
    answered = sent[(sent["outcome"] == Outcome.OK) & (sent["arrived"] > 0) & (sent["flags"] & Flag.BURST == 0)]
    responses = _by_second(rows, answered["due"], answered["arrived"] - answered["due"], length)
    calm = sent[sent["flags"] & NOT_OUR_LAG == 0]
    lags = _by_second(rows, calm["sent"], calm["sent"] - calm["due"], length)
    probes = rows.of(Kind.PROBE, Outcome.REJECTED)
    refused = np.concatenate([published[published["outcome"] == Outcome.REJECTED], probes])
    closed = rows.of(Kind.CLOSE)
    opened = rows.of(Kind.OPEN, Outcome.OK)
    ends = np.where(closed["sent"] > 0, closed["sent"], closed["arrived"])
    open_now = np.cumsum(_count(rows, opened["read"], length) - _count(rows, ends, length))
    return {
        "second": list(range(length)),
        "open": open_now.tolist(),
        "sent": _count(rows, sent["sent"], length).tolist(),
        "deliveries": _count(rows, rows.of(Kind.DELIVERY)["arrived"], length).tolist(),
        "rejected": _count(rows, refused["arrived"], length).tolist(),
        "abandoned": _count(rows, published["due"][published["outcome"] == Outcome.ABANDONED], length).tolist(),
        "response_p50_ms": [percentile(values, 0.50) for values in responses],
        "response_p99_ms": [percentile(values, 0.99) for values in responses],
        "lag_p99_ms": [percentile(values, 0.99) for values in lags],
        "acts": acts(rows),
    }


def acts(rows: Rows) -> list[dict[str, Any]]:
    """Each act of chaos: when (s), what, on how many sessions, and on how many it could not be done."""
    faults = rows.of(Kind.FAULT)
    found = []
    groups: Any = np.unique(np.stack([faults["due"], faults["peer"].astype(np.int64)]), axis=1).T if len(faults) else []
    for due, index in groups:
        mine = faults[(faults["due"] == due) & (faults["peer"] == index)]
        done = int(np.count_nonzero(mine["outcome"] == Outcome.OK))
        found.append(
            {
                "at_s": round((int(due) - rows.start_ns) / SECOND, 3),
                "fault": rows.fault_kinds.label(int(mine["code"][0])),
                "index": int(index),
                "sessions": done,
                "not_open": len(mine) - done,
            }
        )
    return found


def _seconds(rows: Rows, times: Array) -> Array:
    seconds: Array = (times - rows.start_ns) // SECOND
    return seconds


def _count(rows: Rows, times: Array, length: int) -> Array:
    seconds = _seconds(rows, times)
    counts: Array = np.bincount(np.clip(seconds, 0, length - 1), minlength=length)
    return counts


def _by_second(rows: Rows, times: Array, values: Array, length: int) -> list[Array]:
    seconds = np.clip(_seconds(rows, times), 0, length - 1)
    order = np.argsort(seconds, kind="stable")
    bounds = np.searchsorted(seconds[order], np.arange(1, length))
    return np.split(values[order], bounds)
