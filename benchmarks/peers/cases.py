"""The four cases of the comparison, and what is measured while a tool carries one out.

It must not know any tool. The subtle thing: the cost is CPU over messages in a window in the middle of the load, in
which all sessions are open; the messages are counted by the server. So neither a tool's start and end, nor what it
believes to have sent, moves its figure.
"""

import statistics
import time
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..processes import Group, Repeating
from ..serving import Counters, Target

SAMPLE_S = 0.25
MEMORY_EVERY = 6
"""Samples from one look at the memory to the next: it stops the process for milliseconds."""
WARM_S = 2.0
OPEN_ENOUGH = 0.995
FLAT_OUT = float("inf")


@dataclass(frozen=True)
class Case:
    """So many sessions doing so much; `rate_per_s` is each session's (0: idle; FLAT_OUT: as fast as it can)."""

    name: str
    title: str
    sessions: int
    rate_per_s: float
    rooms: int
    ramp_s: float
    load_s: float
    spare_s: float = 25.0
    """For starting, waiting until everybody is there, and ending."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is sent."""
        return self.rate_per_s == 0

    @property
    def rate(self) -> str:
        """For scripts."""
        return "max" if self.rate_per_s == FLAT_OUT else f"{self.rate_per_s:g}"

    @property
    def path(self) -> str:
        """Of the target server."""
        return f"/rooms/{self.rooms}" if self.rooms else "/echo"

    @property
    def limit_s(self) -> float:
        """How long a tool may take for it, starting and ending included."""
        return self.ramp_s + (40.0 if self.is_idle else self.load_s + self.spare_s)

    def with_sessions(self, sessions: int) -> "Case":
        """The same with fewer sessions."""
        return replace(self, sessions=sessions)


STEADY = Case("steady", "(a) 1,000 sessions, 1 message/s each", 1_000, 1.0, 0, 2.0, 30.0)
FLAT = Case("flat-out", "(b) 100 sessions, as fast as they can", 100, FLAT_OUT, 0, 0.5, 15.0)
RAMPED = Case("idle-ramped", "(c) 10,000 idle sessions over 5 s", 10_000, 0.0, 0, 5.0, 0.0)
AT_ONCE = Case("idle-at-once", "(c) 10,000 idle sessions, all at once", 10_000, 0.0, 0, 0.0, 0.0)
ROOMS = Case("rooms", "(d) 500 sessions in rooms of 10, 1 message/s each", 500, 1.0, 50, 1.0, 15.0)
IDLE_HOLD_S = 3.0


class Sample(NamedTuple):
    """One look at both sides."""

    seen: Counters
    cpu_s: float


@dataclass(frozen=True)
class Measured:
    """One tool's figures in one round; None is absent."""

    opened: int
    opens_per_s: float
    peak_bytes: int
    cpu_us: float | None = None
    """Per delivery in rooms, per message (sent and answered) otherwise."""
    messages_per_s: float | None = None
    server_share: float | None = None
    """Of its core: near 1 the server was the limit."""
    p50_ms: float | None = None
    p99_ms: float | None = None


def observe(case: Case, group: Group, target: Target) -> Measured:
    """Watch a started tool until it ends, or, when idle, until everything is open and has been held a little."""
    samples: list[Sample] = []
    memory: list[int] = []

    def look() -> None:
        samples.append(Sample(target.counters(), group.cpu_s()))
        if len(samples) % MEMORY_EVERY == 0:
            memory.append(group.memory_bytes())

    until = time.monotonic() + case.limit_s
    with Repeating(SAMPLE_S, look):
        while group.is_alive and time.monotonic() < until:
            time.sleep(SAMPLE_S)
            if case.is_idle and samples and samples[-1].seen.open >= case.sessions:
                time.sleep(IDLE_HOLD_S)
                break
    if group.is_alive:
        memory.append(group.memory_bytes())
    return conclude(case, samples, max(memory, default=0))


def conclude(case: Case, samples: list[Sample], peak_bytes: int) -> Measured:
    """The figures of one run.

    Raises:
        RuntimeError: the server told nothing.
    """
    if not samples:
        raise RuntimeError("the target server answered nothing while the load was on")
    last = samples[-1].seen
    opened = max(sample.seen.open for sample in samples)
    measured = Measured(opened, last.opens_per_s, peak_bytes)
    window = None if case.is_idle else loaded(samples, case.sessions)
    if window is None:
        return measured
    first, final = window
    messages = final.seen.received - first.seen.received
    count = final.seen.sent - first.seen.sent if case.rooms else messages
    took_s = (final.seen.at_ns - first.seen.at_ns) / 1e9
    return replace(
        measured,
        cpu_us=(final.cpu_s - first.cpu_s) / count * 1e6,
        messages_per_s=messages / took_s,
        server_share=(final.seen.cpu_s - first.seen.cpu_s) / took_s,
    )


def loaded(samples: list[Sample], sessions: int) -> tuple[Sample, Sample] | None:
    """The first and the last sample of the steady part of the load; None when there was none.

    Steady: nearly all sessions open, messages for a while already, and the rate not yet falling at the end.
    """
    busy = [
        number
        for number in range(1, len(samples))
        if samples[number].seen.received > samples[number - 1].seen.received
        and samples[number].seen.open >= sessions * OPEN_ENOUGH
    ]
    if len(busy) < 4:
        return None
    rates = [_rate(samples[number - 1], samples[number]) for number in busy]
    usual = statistics.median(rates)
    busy = [number for number, rate in zip(busy, rates, strict=True) if rate > usual / 2]
    begin_ns = samples[busy[0]].seen.at_ns + min(
        WARM_S * 1e9, (samples[busy[-1]].seen.at_ns - samples[busy[0]].seen.at_ns) / 4
    )
    inside = [number for number in busy if samples[number].seen.at_ns >= begin_ns][:-1]
    return (samples[inside[0]], samples[inside[-1]]) if len(inside) > 1 else None


def _rate(before: Sample, after: Sample) -> float:
    return (after.seen.received - before.seen.received) / max(1, after.seen.at_ns - before.seen.at_ns)
