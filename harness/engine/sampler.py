"""Sampler: looks at the run ten times a second, and records its gauges once a second."""

from collections.abc import Callable

from ..client.context import Context
from ..client.tally import Snapshot
from ..record.row import Gauge, Kind
from ..transport.clock import Clock
from ..units import MILLISECOND, SECOND
from .roster import Roster
from .self_metrics import Looked, SelfMetrics
from .timeline import Timeline

TICK_NS = 100 * MILLISECOND
TICKS_PER_SAMPLE = 10


class Sampler:
    """One process's sampler; `latest` is None before the first sample.

    Args:
        rank: which process this is; its samples contain it.
        held: gives how many silent connections faults hold open.
    """

    def __init__(
        self, context: Context, metrics: SelfMetrics, roster: Roster, timeline: Timeline, held: Callable[[], int],
        rank: int,
    ) -> None:  # fmt: skip
        self._context = context
        self._clock: Clock = context.clock
        self._metrics = metrics
        self._roster = roster
        self._timeline = timeline
        self._held = held
        self._rank = rank
        self._ticks = 0
        self._tick_due = 0
        self.latest: Snapshot | None = None

    def begin(self) -> None:
        """Tick from now on."""
        self._tick_due = self._clock.now() + TICK_NS
        self._clock.at(self._tick_due, self._tick)

    def _tick(self) -> None:
        """A tenth of the sessions is looked through each time, so that no look takes long."""
        now = self._clock.now()
        self._metrics.ticked(now - self._tick_due)
        self._ticks += 1
        self._roster.expire(now, self._ticks % TICKS_PER_SAMPLE, TICKS_PER_SAMPLE)
        if self._ticks % TICKS_PER_SAMPLE == 0:
            self._sample(now)
        self._tick_due = max(now, self._tick_due) + TICK_NS
        self._clock.at(self._tick_due, self._tick)

    def _sample(self, now: int) -> None:
        """Gauges, a look at the wall clock, and everything to disk."""
        self._clock.look_at_wall(now)
        context, tally, sockets = self._context, self._context.tally, self._context.sockets
        # Looked for only when nothing was sent: it asks every client.
        stuck = self._metrics.lags.is_empty and not self._timeline.is_load_over
        looked = Looked(
            open_sessions=tally.open_sessions, held=self._held(), unsent_bytes=sockets.unsent_bytes,
            reads=sockets.reads, unstamped=sockets.unstamped, late_answers=tally.late_answers,
            step_ns=self._clock.step_ns, unmatched=tally.unmatched,
            overdue=self._roster.overdue(now - SECOND) if stuck else 0,
        )  # fmt: skip
        for gauge, value in self._metrics.look(now, looked).items():
            self.gauge(gauge, value, now)
        self.latest = tally.snapshot(now)
        context.recorder.flush()

    def gauge(self, gauge: Gauge, value: int, at_ns: int) -> None:
        """Record one value of a gauge."""
        self._context.recorder.row(Kind.SAMPLE, code=gauge, session=self._rank, seq=value, arrived=at_ns)
