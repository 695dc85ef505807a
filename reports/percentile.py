"""Percentiles: order statistics, never interpolated, in milliseconds, and only where enough samples support them."""

import math

import msgspec
import numpy as np

from .rows import Array

MILLION = 1e6
PERCENTILES = (("p50", 0.50, 1), ("p95", 0.95, 20), ("p99", 0.99, 100), ("p999", 0.999, 1000))
"""Name, share, and the fewest samples from which it is given."""


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """How a set of times is distributed, in milliseconds."""

    count: int
    """number of samples"""
    p50: float | None
    """median; `null` without samples"""
    p95: float | None
    """95th percentile, from 20 samples"""
    p99: float | None
    """99th percentile, from 100 samples"""
    p999: float | None
    """99.9th percentile, from 1,000 samples"""
    max: float | None
    """largest sample"""


class Groups(msgspec.Struct, frozen=True, kw_only=True):
    """The same measure for each group of sessions."""

    unaffected: Percentiles
    """sessions that no fault was injected into"""
    affected: Percentiles
    """sessions that a fault was injected into, for the whole run"""
    all: Percentiles
    """all sessions"""


def percentiles(values_ns: Array) -> Percentiles:
    """Count, percentiles and maximum of times in nanoseconds."""
    ordered = np.sort(values_ns)
    count = len(ordered)
    found = {name: in_ms(ordered[rank(count, share)]) if count >= least else None for name, share, least in PERCENTILES}
    return Percentiles(count=count, max=in_ms(ordered[-1]) if count else None, **found)


def grouped(values_ns: Array, affected: Array) -> Groups:
    """Percentiles by group; `affected` tells for each value whether it belongs to an affected session."""
    return Groups(
        unaffected=percentiles(values_ns[~affected]),
        affected=percentiles(values_ns[affected]),
        all=percentiles(values_ns),
    )


def percentile(values_ns: Array, share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed, in milliseconds; None without values."""
    if not len(values_ns):
        return None
    return in_ms(np.sort(values_ns)[rank(len(values_ns), share)])


def rank(count: int, share: float) -> int:
    """The index of that value among `count` sorted ones."""
    return math.ceil(share * count) - 1


def in_ms(value_ns: float) -> float:
    """Nanoseconds as milliseconds, to a tenth of a microsecond."""
    return round(float(value_ns) / MILLION, 4)
