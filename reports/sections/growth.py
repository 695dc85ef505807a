"""Growth: does the memory, or the number of open descriptors, of the generator and of the endpoint rise over the load?

The slope is Theil and Sen's: the median of the slopes between the medians of ten equal parts of the load (the first
fifth is warm-up, and left out). With it comes the interval that the noise of those medians leaves (Sen 1968, by
Kendall's statistic, exact), so "steady" says how much growth could still hide in it.
Memory moves in steps, and ten medians of a short load always look like something. So a load shorter than two minutes
is not judged, and only a rise that is worth mentioning, with an interval that excludes 0, is called growth.
"""

from itertools import combinations
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from harness.record.row import Gauge, Kind

from ..registry import section
from ..rows import Array, Rows

LEAST_S = 120.0
WARM_SHARE = 0.2
PARTS = 10
SIGNIFICANT = 0.05
WORTH = {"resident_mib": 0.01, "descriptors": 0.0}
"""The rise over the judged time that is worth mentioning, as a share of the level."""
LEAST_RISE = {"resident_mib": 1.0, "descriptors": 2.0}
What = Literal["resident_mib", "descriptors"]
MEASURES: tuple[tuple[Literal["generator", "endpoint"], What, Gauge, int], ...] = (
    ("generator", "resident_mib", Gauge.RESIDENT_BYTES, 2**20),
    ("generator", "descriptors", Gauge.DESCRIPTORS, 1),
    ("endpoint", "resident_mib", Gauge.ENDPOINT_RESIDENT_BYTES, 2**20),
    ("endpoint", "descriptors", Gauge.ENDPOINT_DESCRIPTORS, 1),
)


class Slope(msgspec.Struct, frozen=True, kw_only=True):
    """How a level changed over the judged part of the load, with the 95 % interval of its slope."""

    first: float
    """median level of the first tenth"""
    last: float
    """median level of the last tenth"""
    per_h: float
    """slope per hour"""
    low_per_h: float
    """lower end of the slope's 95 % interval"""
    high_per_h: float
    """upper end of the slope's 95 % interval"""
    judged_s: float
    """length of the judged time"""
    samples: int
    """number of samples in it"""


class Growth(Slope, frozen=True, kw_only=True):
    """One measure of one process."""

    whose: Literal["generator", "endpoint"]
    """`generator`, or `endpoint` where `[observe] metrics` is given"""
    process: int
    """rank of the generator's process; 0 for the endpoint"""
    what: Literal["resident_mib", "descriptors"]
    """`resident_mib` or `descriptors`"""
    verdict: Literal["grows", "steady", "shrinks"]
    """`grows`, `steady` or `shrinks`"""


@section("growth")
def growth(rows: Rows) -> list[Growth]:
    """One entry for each measure of each process that was sampled often enough; empty for a short load."""
    begin, end = rows.load_start_ns, min(rows.load_end_ns, rows.last_ns)
    begin += round((end - begin) * WARM_SHARE)
    if end - begin < LEAST_S * (1 - WARM_SHARE) * 1e9:
        return []
    samples = rows.of(Kind.SAMPLE)
    samples = samples[(samples["arrived"] >= begin) & (samples["arrived"] < end)]
    entries = []
    for whose, what, gauge, unit in MEASURES:
        mine = samples[samples["code"] == gauge]
        for rank in np.unique(mine["session"]).tolist():
            one = mine[mine["session"] == rank]
            judged = slope(one["arrived"], one["seq"] / unit, begin, end)
            if judged is not None:
                verdict = _verdict(what, judged)
                entries.append(
                    Growth(whose=whose, process=rank, what=what, verdict=verdict, **msgspec.structs.asdict(judged))
                )
    return entries


def slope(times_ns: Array, values: Array, begin_ns: int, end_ns: int) -> Slope | None:
    """The slope per hour with its 95 % interval; None where a part of the time has no sample."""
    found = trend(times_ns, values, begin_ns, end_ns)
    if found is None:
        return None
    hours = (end_ns - begin_ns) / 3.6e12
    return Slope(
        first=round(found.levels[0], 3),
        last=round(found.levels[-1], 3),
        per_h=round(found.rise / hours, 3),
        low_per_h=round(found.low / hours, 3),
        high_per_h=round(found.high / hours, 3),
        judged_s=round((end_ns - begin_ns) / 1e9, 1),
        samples=len(values),
    )


class Trend(NamedTuple):
    """How values change over a span: the medians of its tenths; the rise over the whole, with its 95 % interval."""

    levels: list[float]
    rise: float
    low: float
    high: float


def trend(at: Array, values: Array, begin: int, end: int) -> Trend | None:
    """The change of `values`, each measured at `at`, from `begin` to `end`; None where a tenth has no value."""
    part = (at - begin) * PARTS // (end - begin)
    if len(np.unique(part)) < PARTS:
        return None
    levels = [float(np.median(values[part == n])) for n in range(PARTS)]
    rises = sorted((levels[b] - levels[a]) * PARTS / (b - a) for a, b in combinations(range(PARTS), 2))
    low = (len(rises) - _kendall_limit(PARTS, SIGNIFICANT)) // 2
    return Trend(levels, float(np.median(rises)), rises[low], rises[-1 - low])


def _verdict(what: What, judged: Slope) -> Literal["grows", "steady", "shrinks"]:
    rise = judged.per_h * judged.judged_s / 3600
    worth = max(LEAST_RISE[what], WORTH[what] * judged.first)
    if judged.low_per_h > 0 and rise >= worth:
        return "grows"
    return "shrinks" if judged.high_per_h < 0 and -rise >= worth else "steady"


def _kendall_limit(count: int, share: float) -> int:
    """The S of Kendall's rank correlation that chance exceeds, up or down, in at most this share of the cases."""
    inversions = [1]
    for size in range(2, count + 1):  # the number of orders of `size` things by inversions
        longer = [0] * (len(inversions) + size - 1)
        for before, orders in enumerate(inversions):
            for more in range(size):
                longer[before + more] += orders
        inversions = longer
    total, tail = sum(inversions), 0
    pairs = count * (count - 1) // 2
    for few, orders in enumerate(inversions):
        if 2 * (tail + orders) > share * total:
            return pairs - 2 * few
        tail += orders
    return pairs
