"""Growth: does the memory, or the number of open descriptors, of the generator and of the endpoint rise over the load?

It must not know what is leaking. The slope is Theil and Sen's: the median of the slopes between the medians of ten
equal parts of the load (the first fifth is warming up, and left out). With it comes the interval that the noise of
those medians leaves (Sen 1968, by Kendall's statistic, exact), so "steady" says how much growth could still hide in it.
The subtle thing: memory moves in steps, and ten medians of a short load always look like something; so a load shorter
than two minutes is not judged, and growth is called so only when the interval excludes 0 and the rise is worth a word.
"""

from itertools import combinations
from typing import Any

import numpy as np

from harness.record.row import Gauge, Kind

from .rows import Array, Rows

LEAST_S = 120.0
WARM_SHARE = 0.2
PARTS = 10
SIGNIFICANT = 0.05
WORTH = {"resident_mib": 0.01, "descriptors": 0.0}
"""The rise over the judged time that is worth a word: this share of the level (of descriptors, any two)."""
LEAST_RISE = {"resident_mib": 1.0, "descriptors": 2.0}
MEASURES = (
    ("generator", "resident_mib", Gauge.RESIDENT_BYTES, 2**20),
    ("generator", "descriptors", Gauge.DESCRIPTORS, 1),
    ("endpoint", "resident_mib", Gauge.ENDPOINT_RESIDENT_BYTES, 2**20),
    ("endpoint", "descriptors", Gauge.ENDPOINT_DESCRIPTORS, 1),
)


def growth(rows: Rows) -> list[dict[str, Any]]:
    """One entry for each measure of each process that was sampled often enough; empty for a short load."""
    begin, end = rows.load_start_ns, min(rows.load_end_ns, rows.last_ns)
    begin += round((end - begin) * WARM_SHARE)
    if end - begin < LEAST_S * (1 - WARM_SHARE) * 1e9:
        return []
    samples = rows.of(Kind.SAMPLE)
    samples = samples[(samples["arrived"] >= begin) & (samples["arrived"] < end)]
    found = []
    for whose, what, gauge, unit in MEASURES:
        mine = samples[samples["code"] == gauge]
        for rank in np.unique(mine["session"]).tolist():
            one = mine[mine["session"] == rank]
            judged = slope(one["arrived"], one["seq"] / unit, begin, end)
            if judged is not None:
                found.append(
                    {"whose": whose, "process": rank, "what": what, **judged, "verdict": _verdict(what, judged)}
                )
    return found


def slope(times_ns: Array, values: Array, begin_ns: int, end_ns: int) -> dict[str, Any] | None:
    """The slope per hour with its 95 % interval; None where a part of the time has no sample."""
    part = (times_ns - begin_ns) * PARTS // (end_ns - begin_ns)
    if len(np.unique(part)) < PARTS:
        return None
    levels = [float(np.median(values[part == n])) for n in range(PARTS)]
    hours = (end_ns - begin_ns) / 3.6e12
    slopes = sorted((levels[b] - levels[a]) * PARTS / (b - a) / hours for a, b in combinations(range(PARTS), 2))
    within = _kendall_limit(PARTS, SIGNIFICANT)
    low = (len(slopes) - within) // 2
    return {
        "first": round(levels[0], 3),
        "last": round(levels[-1], 3),
        "per_h": round(float(np.median(slopes)), 3),
        "low_per_h": round(slopes[low], 3),
        "high_per_h": round(slopes[-1 - low], 3),
        "judged_s": round((end_ns - begin_ns) / 1e9, 1),
        "samples": len(values),
    }


def in_words(found: dict[str, Any]) -> str:
    """One entry as a sentence."""
    unit, name = ("MiB", "memory") if found["what"] == "resident_mib" else ("", "descriptors")
    process = f" {found['process']}" if found["whose"] == "generator" else ""
    return (
        f"{found['whose']}{process} {name}: {found['verdict']}, {found['first']:g} to {found['last']:g} {unit}".rstrip()
        + f", {found['per_h']:+.3g} an hour (95 %: {found['low_per_h']:+.3g} to {found['high_per_h']:+.3g}), "
        f"over {found['judged_s']:.0f} s"
    )


def _verdict(what: str, judged: dict[str, Any]) -> str:
    rise = judged["per_h"] * judged["judged_s"] / 3600
    worth = max(LEAST_RISE[what], WORTH[what] * judged["first"])
    if judged["low_per_h"] > 0 and rise >= worth:
        return "grows"
    return "shrinks" if judged["high_per_h"] < 0 and -rise >= worth else "steady"


def _kendall_limit(count: int, share: float) -> int:
    """The S of Kendall's rank correlation that chance exceeds, up or down, in at most this share of the cases."""
    inversions = [1]
    for size in range(2, count + 1):  # so many orders of `size` things have so many inversions
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
