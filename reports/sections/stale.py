"""Stale connections: of the connections that we dropped, which did the endpoint detect, and how long after.

The list is read only every now and then, so a detection lies between two looks and is given as two bounds. A silent
connection that we release at last (LIFT) ends with a reset, which any endpoint detects, so only what vanished before
that counts.
"""

from typing import Literal, NamedTuple

import msgspec
import numpy as np

from harness.record.row import Kind, Outcome
from harness.record.run_directory import RunDirectory
from harness.units import SECOND

from ..occasion import Occasion, occasion
from ..percentile import Percentiles, percentiles
from ..registry import section
from ..rows import Array, Rows

SLACK_NS = SECOND
EXAMPLES = 3
Where = tuple[int, int]
"""Session and connection."""
Fate = Literal["detected", "late", "overdue", "undetected", "too_early_to_tell", "never_listed"]
BROKEN: tuple[Fate, ...] = ("late", "overdue")
"""The fates that break a promise."""


class Drops(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a set of dropped connections."""

    dropped: int
    """connections that we dropped"""
    detected: int
    """connections that the endpoint removed from its list"""
    late: int
    """detected ones that took longer than promised"""
    overdue: int
    """connections still listed after the promised time"""
    undetected: int
    """connections still listed, where nothing is promised"""
    too_early_to_tell: int
    """connections still listed when the run ended, before the promised time was over"""
    never_listed: int
    """connections that were never in the list"""


class Method(Drops, frozen=True, kw_only=True):
    """What became of the connections that were dropped by one method."""

    detected_at_most: Percentiles
    """upper bounds of the time from drop to detection"""
    detected_at_least: Percentiles
    """lower bounds of the time from drop to detection"""


class Stale(Drops, frozen=True, kw_only=True):
    """Which dropped connections the endpoint detected, in all and by method."""

    by_method: dict[str, Method]
    """the same for `close`, `fin`, `reset`, `half-open` and `stall`"""
    forgotten: int
    """live connections that vanished from the list"""
    broken_at: Occasion | None
    """when the first of the late and overdue connections was dropped, and whose they were; `null`: none"""
    forgotten_at: Occasion | None
    """when the first live connection vanished, and whose they were; `null`: none"""
    promise_s: float | None
    """the contract's `stale_within_s`"""
    resolution_ms: float | None
    """median time between looks at the list"""
    polls: int
    """number of looks"""
    polls_failed: int
    """number of looks that failed"""
    listed: int
    """number of our connections that were in any list"""
    names_none_of_ours: bool
    """some of our connections were open, and no list named any: nothing can be judged by it"""
    instead: list[str]
    """the first names of other connections in the list"""
    listed_last: int
    """number of connections in the last list"""
    others_last: int
    """number of entries in the last list that are no connections of ours"""
    not_listed: int
    """dropped clients that poll: without a lasting connection they are in no list, and not counted as dropped"""


class Watch(NamedTuple):
    """What the looks at the list saw."""

    gone: dict[Where, Array]
    seen: set[Where]
    released: dict[tuple[int, int, int], int]
    last_look: int
    promise_s: float | None


class Case(NamedTuple):
    """One dropped connection: what became of it, and the bounds of when, in nanoseconds after the drop."""

    fate: Fate
    low: int = 0
    high: int = 0


@section("stale")
def stale(directory: RunDirectory, rows: Rows) -> Stale | None:
    """Which dropped connections were detected; None when the list was never read."""
    looks = rows.of(Kind.LOOK)
    good = looks[looks["outcome"] == Outcome.OK]
    if not len(good):
        return None
    lifts = rows.of(Kind.LIFT)
    watch = Watch(
        gone={(int(row["session"]), int(row["conn"])): row for row in rows.of(Kind.GONE)},
        seen={(int(row["session"]), int(row["conn"])) for row in rows.of(Kind.SEEN)},
        released={(int(row["session"]), int(row["peer"]), int(row["seq"])): int(row["sent"]) for row in lifts},
        last_look=int(good["sent"].max()),
        promise_s=rows.contract.stale_within_s,
    )
    polled = rows.polled[rows.drops["session"]]
    drops = rows.drops[~polled]
    cases = [_judge(row, watch) for row in drops]
    by_method = {
        rows.fault_kinds.label(int(code)): [case for case, by in zip(cases, drops["code"], strict=True) if by == code]
        for code in np.unique(drops["code"])
    }
    broken = np.array([case.fate in BROKEN for case in cases], bool)
    forgotten = _forgotten(rows, watch.gone)
    intervals = np.diff(good["sent"])
    return Stale(
        by_method={label: _method(cases) for label, cases in by_method.items()},
        **_counted(cases),
        broken_at=occasion(rows, drops[broken]),
        forgotten=len(forgotten),
        forgotten_at=occasion(rows, forgotten),
        promise_s=watch.promise_s,
        resolution_ms=round(float(np.median(intervals)) / 1e6, 1) if len(intervals) else None,
        polls=len(looks),
        polls_failed=len(looks) - len(good),
        listed=len(watch.seen | watch.gone.keys()),
        names_none_of_ours=not watch.seen and not watch.gone and _any_open(rows, good),
        instead=[str(line["text"]) for line in directory.evidence() if line.get("kind") == "listed"][:EXAMPLES],
        listed_last=int(good["peer"][-1]),
        others_last=int(good["seq"][-1] - good["peer"][-1]),
        not_listed=int(np.count_nonzero(polled)),
    )


def _any_open(rows: Rows, looks: Array) -> bool:
    """Whether one of our connections had been open for a while, and still was, when the endpoint was asked."""
    opened = rows.of(Kind.OPEN, Outcome.OK)
    opened = opened[~rows.polled[opened["session"]]]
    ends = ended(rows)
    end = np.array([ends.get((int(row["session"]), int(row["conn"])), rows.last_ns) for row in opened], np.int64)
    lasted = (opened["arrived"] + SLACK_NS < looks["sent"].max()) & (opened["arrived"] + SLACK_NS < end)
    spot = np.searchsorted(looks["sent"], opened["arrived"][lasted] + SLACK_NS)
    return bool((looks["arrived"][np.minimum(spot, len(looks) - 1)] < end[lasted]).any())


def _judge(drop: Array, watch: Watch) -> Case:
    """What became of one dropped connection."""
    where = (int(drop["session"]), int(drop["conn"]))
    dropped, promise_s = int(drop["sent"]), watch.promise_s
    released = watch.released.get((where[0], int(drop["peer"]), int(drop["seq"])))
    row = watch.gone.get(where)
    if where not in watch.seen and row is None:
        return Case("never_listed")
    if row is not None and (released is None or int(row["arrived"]) <= released):
        low, high = max(0, int(row["sent"]) - dropped), max(0, int(row["arrived"]) - dropped)
        late = promise_s is not None and low > promise_s * 1e9
        return Case("late" if late else "detected", low, high)
    if promise_s is None:
        return Case("undetected")
    watched = min(watch.last_look, released if released is not None else watch.last_look) - dropped
    return Case("overdue" if watched > promise_s * 1e9 else "too_early_to_tell")


def _counted(cases: list[Case]) -> dict[str, int]:
    """The fields of Drops; a late detection is a detection, too."""
    fates = [case.fate for case in cases]
    counts = {name: fates.count(name) for name in ("late", "overdue", "undetected", "too_early_to_tell")}
    return {
        "dropped": len(cases),
        "detected": fates.count("detected") + fates.count("late"),
        "never_listed": fates.count("never_listed"),
        **counts,
    }


def _method(cases: list[Case]) -> Method:
    detected = [case for case in cases if case.fate in ("detected", "late")]
    return Method(
        detected_at_most=percentiles(np.array([case.high for case in detected], np.int64)),
        detected_at_least=percentiles(np.array([case.low for case in detected], np.int64)),
        **_counted(cases),
    )


def ended(rows: Rows) -> dict[Where, int]:
    """When each of our connections was dropped or ended, in nanoseconds; others were open until the end."""
    ends: dict[Where, int] = {}
    for row in rows.drops:
        ends[int(row["session"]), int(row["conn"])] = int(row["sent"])
    for row in rows.of(Kind.CLOSE):
        where = (int(row["session"]), int(row["conn"]))
        when = int(row["sent"] or row["arrived"])
        ends[where] = min(ends.get(where, when), when)
    return ends


def _forgotten(rows: Rows, gone: dict[Where, Array]) -> Array:
    """Connections that vanished from the list while they were alive and no fault had been injected into them."""
    ends = ended(rows)
    vanished = [row for where, row in gone.items() if int(row["arrived"]) + SLACK_NS < ends.get(where, rows.last_ns)]
    return np.array(vanished, rows.of(Kind.GONE).dtype)
