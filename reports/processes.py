"""What each process of the generator did to its own measurement, from its own shard: one entry per process.

A slow process among fast ones disappears in figures over all of them, so everything is measured by shard. A shard that
is missing or ends early says nothing at all, which is the worst case.
"""

from dataclasses import dataclass

import msgspec
import numpy as np

from harness.record.row import Flag, Gauge, Kind, Outcome
from harness.units import SECOND

from .percentile import MILLION, percentile
from .rows import NOT_OUR_LAG, Array, Rows

ARRIVE = (Kind.OPEN, Kind.JOIN, Kind.PUBLISH, Kind.DELIVERY, Kind.LEAVE, Kind.PROBE, Kind.PING)
LEVEL = 0.95


class StampShares(msgspec.Struct, frozen=True, kw_only=True):
    """Where arrival times come from."""

    arrivals: int
    """number of arrivals"""
    exact: float | None
    """share with an exact kernel stamp"""
    bounded: float | None
    """share with a kernel stamp that is an upper bound"""
    read: float | None
    """share without a kernel stamp: the time of reading"""


@dataclass(frozen=True)
class Process:
    """One process's rows, and what they say of it; times in milliseconds, absent values None."""

    rank: int
    table: Array
    start_ns: int
    load_end_ns: int

    def of(self, kind: Kind) -> Array:
        """Its rows of one kind."""
        found: Array = self.table[self.table["kind"] == kind]
        return found

    def gauge(self, gauge: Gauge) -> Array:
        """Its samples of one gauge: rows whose `seq` is the value and `arrived` the time."""
        samples = self.of(Kind.SAMPLE)
        found: Array = samples[samples["code"] == gauge]
        return found

    def most(self, gauge: Gauge) -> int | None:
        """The largest value of a gauge."""
        found = self.gauge(gauge)["seq"]
        return int(found.max()) if len(found) else None

    def last(self, gauge: Gauge) -> int | None:
        """The last value of a gauge."""
        found = self.gauge(gauge)["seq"]
        return int(found[-1]) if len(found) else None

    @property
    def published(self) -> int:
        """The number of the plan's messages, sent or abandoned; bursts and messages without a due time are not."""
        published = self.of(Kind.PUBLISH)
        return int(np.count_nonzero((published["flags"] & Flag.BURST == 0) & (published["due"] > 0)))

    @property
    def lags(self) -> tuple[Array, Array]:
        """When each planned message was sent, and how late."""
        published = self.of(Kind.PUBLISH)
        planned = (published["sent"] > 0) & (published["due"] > 0)
        timely = published[planned & (published["flags"] & NOT_OUR_LAG == 0)]
        return timely["sent"], timely["sent"] - timely["due"]

    @property
    def read_lags(self) -> tuple[Array, Array]:
        """When each stamped arrival was read, and how long after it had arrived."""
        stamped = self.table[self.table["flags"] & (Flag.EXACT | Flag.BOUNDED) > 0]
        return stamped["read"], stamped["read"] - stamped["arrived"]

    def stamps(self) -> StampShares:
        """Where arrival times come from."""
        found = self.table
        came = found[
            np.isin(found["kind"], ARRIVE)
            & (found["arrived"] > 0)
            & np.isin(found["outcome"], (Outcome.OK, Outcome.REJECTED))
            & (found["flags"] & Flag.IMPLICIT == 0)
            & ~self._read_late_on_purpose
        ]
        return stamps(came)

    @property
    def _read_late_on_purpose(self) -> Array:
        """Which rows may be without a stamp because a fault has slowed the session down."""
        faults = self.of(Kind.FAULT)
        affected = np.isin(self.table["session"], faults["session"][faults["outcome"] == Outcome.OK])
        late: Array = affected & (self.table["flags"] & (Flag.EXACT | Flag.BOUNDED) == 0)
        return late

    def bad_seconds(self, measure: tuple[Array, Array], limit_ms: float) -> list[int]:
        """The seconds of the run in which the 99th percentile of a measure was over the limit."""
        times, values = measure
        seconds = (times - self.start_ns) // SECOND
        late = np.unique(seconds[values > limit_ms * MILLION])  # only these can be
        return [int(second) for second in late if (percentile(values[seconds == second], 0.99) or 0.0) > limit_ms]

    def busy_seconds(self, limit_permille: float) -> list[int]:
        """The seconds in which the CPU was over the limit; a sample is of the second before it."""
        samples = self.gauge(Gauge.CPU_PERMILLE)
        busy = samples["arrived"][samples["seq"] > limit_permille]
        return sorted({max(0, int(second)) for second in (busy - self.start_ns - 1) // SECOND})

    def descriptors_grown(self) -> int | None:
        """By how much descriptors grew while as many sessions were open; None where that was not seen twice."""
        times, counts = (self.gauge(Gauge.DESCRIPTORS)[name] for name in ("arrived", "seq"))
        level = self._at(Gauge.OPEN_SESSIONS, times) + self._at(Gauge.HELD, times)
        full = (level >= LEVEL * level.max(initial=0)) & (times < self.load_end_ns)
        if np.count_nonzero(full) < 3:
            return None
        counts = counts[full]
        third = max(1, len(counts) // 3)
        return int(np.median(counts[-third:]) - np.median(counts[:third]))

    def _at(self, gauge: Gauge, times: Array) -> Array:
        """The values of another gauge at these times (0 where there is none: old runs have no HELD)."""
        found = self.gauge(gauge)
        values = dict(zip(found["arrived"].tolist(), found["seq"].tolist(), strict=True))
        return np.array([values.get(time, 0) for time in times.tolist()], dtype=np.int64)


def all_processes(rows: Rows) -> list[Process]:
    """Every process that left a shard, in order of rank."""
    end_ns = rows.load_end_ns
    return sorted(
        (Process(shard.rank, rows.table[shard.begin : shard.end], rows.start_ns, end_ns) for shard in rows.shards),
        key=lambda process: process.rank,
    )


def stamps(came: Array) -> StampShares:
    """Where the times of these arrivals come from."""
    if not len(came):
        return StampShares(arrivals=0, exact=None, bounded=None, read=None)
    exact = float(np.mean(came["flags"] & Flag.EXACT > 0))
    bounded = float(np.mean(came["flags"] & Flag.BOUNDED > 0))
    return StampShares(
        arrivals=len(came),
        exact=round(exact, 4),
        bounded=round(bounded, 4),
        read=round(max(0.0, 1 - exact - bounded), 4),
    )
