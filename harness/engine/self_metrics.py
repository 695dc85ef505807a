"""One process's look at itself, once a second: how late it sends and reads, what it uses, and what is wrong with it.

It covers the last second only: the report judges the whole run from the rows. An overloaded generator looks like a slow
endpoint in everything but these figures, and its event loop may seem prompt while each message is late (docs/design.md,
decision 4), so all of them are looked at.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..plan import Fitness
from ..record.row import Gauge
from ..record.spread import Measured, Spread

MILLION = 1_000_000
LEVEL = 0.05
"""Numbers of sessions that differ by less are the same to a count of descriptors; each may hold two, twice a while."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
OWN_DESCRIPTORS = Path("/proc/self/fd")
COUNTED_EVERY = 10
"""Seconds between two counts of the descriptors where counting means listing them all (Linux before 6.2)."""


class Looked(NamedTuple):
    """What the process cannot know by itself: open sessions, silent connections held, and counts since the start."""

    open_sessions: int
    held: int
    unsent_bytes: int
    reads: int
    unstamped: int
    late_answers: int
    step_ns: int
    unmatched: int = 0
    overdue: int = 0
    """Clients whose next message has been due for over a second; looked for only when nothing was sent."""


class SelfMetrics:
    """The state of one process; senders add to `lags`, readers to `read_lags`."""

    def __init__(self, limits: Fitness, now_ns: int, *, stamped: bool) -> None:
        self._limits = limits
        self._stamped = stamped
        self.lags = Spread()
        self.read_lags = Spread()
        self.lag: Measured | None = None
        self.read_lag: Measured | None = None
        self.cpu_share = 0.0
        self.warnings: tuple[str, ...] = ()
        """What was wrong in the last second, in words."""
        self._statm = os.open(
            "/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC
        )  # kept: there may be no other left to have
        self._cpu_ns = time.process_time_ns()
        self._looked_ns = now_ns
        self._worst_tick = 0
        self._looks = 0
        self._before = Looked(0, 0, 0, 0, 0, 0, 0)
        self._descriptors: int | None = None
        self._level = 0
        self._fewest = 0

    def ticked(self, late_ns: int) -> None:
        """A callback of the event loop came so late."""
        self._worst_tick = max(self._worst_tick, late_ns)

    def look(self, now_ns: int, seen: Looked) -> dict[Gauge, int]:
        """Measure the second that has gone by, and say what is wrong with it."""
        self.lag, self.read_lag = self.lags.take(), self.read_lags.take()
        cpu_ns = time.process_time_ns()
        permille = (cpu_ns - self._cpu_ns) * 1000 // max(1, now_ns - self._looked_ns)
        self.cpu_share = permille / 1000
        self._cpu_ns, self._looked_ns = cpu_ns, now_ns
        values = {
            Gauge.CPU_PERMILLE: permille,
            Gauge.RESIDENT_BYTES: resident_bytes(self._statm),
            Gauge.OPEN_SESSIONS: seen.open_sessions,
            Gauge.UNSENT_BYTES: seen.unsent_bytes,
            Gauge.LOOP_LAG_NS: self._worst_tick,
            Gauge.CLOCK_STEP_NS: seen.step_ns,
            Gauge.LATE_ANSWERS: seen.late_answers,
            Gauge.UNMATCHED: seen.unmatched,
            Gauge.HELD: seen.held,
        }
        for found, gauges in ((self.lag, LAGS), (self.read_lag, READ_LAGS)):
            if found is not None:
                values |= dict(zip(gauges, found, strict=True))
        self._descriptors = descriptors(self._looks)
        if self._descriptors is not None:
            values[Gauge.DESCRIPTORS] = self._descriptors
        self.warnings = tuple(self._wrong(seen))
        self._looks += 1
        self._worst_tick = 0
        self._before = seen
        return values

    def close(self) -> None:
        """Give back what looking needs; twice is harmless."""
        if self._statm >= 0:
            os.close(self._statm)
            self._statm = -1

    def _wrong(self, seen: Looked) -> Iterable[str]:
        limits = self._limits
        if self.lag is not None and self.lag.p99 > limits.lag_p99_ms * MILLION:
            yield f"late sends: send delay p99 {self.lag.p99 / MILLION:.0f} ms (limit {limits.lag_p99_ms:g} ms)"
        if seen.overdue:
            yield f"stalled scenario: nothing sent, {seen.overdue} clients have overdue messages"
        if self.read_lag is not None and self.read_lag.p99 > limits.read_lag_p99_ms * MILLION:
            late = self.read_lag.p99 / MILLION
            yield f"late reads: read delay p99 {late:.0f} ms (limit {limits.read_lag_p99_ms:g} ms)"
        if self.cpu_share > limits.cpu_share:
            yield f"CPU overload: {self.cpu_share:.0%} of a core (limit {limits.cpu_share:.0%})"
        if abs(seen.step_ns) > limits.clock_step_ms * MILLION:
            moved = seen.step_ns / MILLION
            yield f"clock step: the wall clock moved by {moved:.1f} ms, arrival times cannot be trusted"
        reads, unstamped = seen.reads - self._before.reads, seen.unstamped - self._before.unstamped
        if self._stamped and unstamped > limits.unstamped_share * reads:
            yield f"missing kernel timestamps: {unstamped} of {reads} reads have none"
        if self._descriptors is not None and (grown := self._grown(self._descriptors, seen.open_sessions + seen.held)):
            yield f"descriptor leak: {grown} more are open than before with the same number of sessions"

    def _grown(self, now: int, sessions: int) -> int:
        """By how much descriptors have grown while sessions have not; 0 for what churn explains."""
        if sessions > self._level * (1 + LEVEL) or not self._fewest:
            self._level, self._fewest = sessions, now
        elif sessions >= self._level * (1 - LEVEL):
            self._fewest = min(self._fewest, now)
            grown = now - self._fewest
            return grown if grown > self._limits.spare_descriptors + 4 * LEVEL * self._level else 0
        return 0


LAGS = (Gauge.LAG_P50_NS, Gauge.LAG_P99_NS, Gauge.LAG_MAX_NS)
READ_LAGS = (Gauge.READ_LAG_P50_NS, Gauge.READ_LAG_P99_NS, Gauge.READ_LAG_MAX_NS)


class Warnings:
    """Which warnings to show: each when it begins, and every `every` seconds while it lasts.

    A kind of warning is known by its words before the colon.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._told: dict[str, int] = {}
        self._second = 0

    def fresh(self, warnings: Iterable[str]) -> list[str]:
        """Those to show now; to be called once a second."""
        self._second += 1
        found = []
        for text in warnings:
            kind = text.partition(":")[0]
            if self._second - self._told.get(kind, -self._every) >= self._every:
                self._told[kind] = self._second
                found.append(text)
        return found


def resident_bytes(statm: int) -> int:
    """Memory of the process whose `/proc/.../statm` is open as this descriptor."""
    return int(os.pread(statm, 100, 0).split()[1]) * PAGE_BYTES


def descriptors(looks: int) -> int | None:
    """Open descriptors of this process; None when they were not counted this time."""
    size = OWN_DESCRIPTORS.stat().st_size  # their number, from Linux 6.2 on
    if size:
        return size
    if looks % COUNTED_EVERY:
        return None
    try:
        return sum(1 for _ in OWN_DESCRIPTORS.iterdir())
    except OSError:  # none is left to count them with
        return None
