"""The time line: what happened in each second of the run, with the faults; for pictures and for finding holes."""

import msgspec
import numpy as np

from harness.record.row import Kind, Outcome
from harness.units import SECOND

from ..percentile import percentile
from ..registry import section
from ..rows import Array, Rows

MOST_SECONDS = 7 * 24 * 3600


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One occurrence of a fault."""

    at_s: float
    """when it was due, since the run began"""
    fault: str
    """the fault's name"""
    index: int
    """number of the fault in the plan, from 0"""
    sessions: int
    """number of sessions that it was injected into"""
    not_open: int
    """number of sessions that had no open connection then"""


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """Series with one value per second."""

    second: list[int]
    """seconds since the run began"""
    open: list[int]
    """open sessions at the end of the second"""
    sent: list[int]
    """messages sent"""
    deliveries: list[int]
    """deliveries that arrived"""
    rejected: list[int]
    """refused messages and malformed payloads"""
    abandoned: list[int]
    """messages due while their session had no connection"""
    response_p50_ms: list[float | None]
    """median of `response` of the messages due then"""
    response_p99_ms: list[float | None]
    """99th percentile of `response` of the messages due then"""
    lag_p99_ms: list[float | None]
    """99th percentile of the send delay"""
    acts: list[Act]
    """the faults"""


@section("timeline")
def timeline(rows: Rows) -> Timeline:
    """Counts and percentiles by second since the run began, and the faults."""
    length = min(MOST_SECONDS, max(1, (rows.last_ns - rows.start_ns) // SECOND + 1))
    answered, timely = rows.answered, rows.on_schedule
    abandoned = rows.of(Kind.PUBLISH, Outcome.ABANDONED)
    abandoned = abandoned[abandoned["sent"] == 0]
    responses = _by_second(rows, answered["due"], answered["arrived"] - answered["due"], length)
    lags = _by_second(rows, timely["sent"], timely["sent"] - timely["due"], length)
    refused = np.concatenate([rows.of(kind, Outcome.REJECTED) for kind in (Kind.PUBLISH, Kind.PROBE)])
    closed = rows.of(Kind.CLOSE)
    opened = rows.of(Kind.OPEN, Outcome.OK)
    ends = np.where(closed["sent"] > 0, closed["sent"], closed["arrived"])
    open_now = np.cumsum(_count(rows, opened["read"], length) - _count(rows, ends, length))
    return Timeline(
        second=list(range(length)),
        open=open_now.tolist(),
        sent=_count(rows, rows.sent["sent"], length).tolist(),
        deliveries=_count(rows, rows.of(Kind.DELIVERY)["arrived"], length).tolist(),
        rejected=_count(rows, refused["arrived"], length).tolist(),
        abandoned=_count(rows, abandoned["due"], length).tolist(),
        response_p50_ms=[percentile(values, 0.50) for values in responses],
        response_p99_ms=[percentile(values, 0.99) for values in responses],
        lag_p99_ms=[percentile(values, 0.99) for values in lags],
        acts=acts(rows),
    )


def acts(rows: Rows) -> list[Act]:
    """Each occurrence of a fault: when, what, on how many sessions, and on how many it was not possible."""
    faults = rows.of(Kind.FAULT)
    occurrences = np.unique(np.stack([faults["due"], faults["peer"].astype(np.int64)]), axis=1).T
    entries = []
    for due, index in occurrences:
        mine = faults[(faults["due"] == due) & (faults["peer"] == index)]
        done = int(np.count_nonzero(mine["outcome"] == Outcome.OK))
        entries.append(
            Act(
                at_s=rows.since_start_s(due),
                fault=rows.fault_kinds.label(int(mine["code"][0])),
                index=int(index),
                sessions=done,
                not_open=len(mine) - done,
            )
        )
    return entries


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
