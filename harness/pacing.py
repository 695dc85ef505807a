"""Pacing: when is the n-th message of a session due. Pure arithmetic on nanoseconds; it knows no clock.

Due times are absolute: they follow from the plan alone, so that a stall of the generator or of the endpoint never
moves them (wrk2's answer to coordinated omission).
"""

from dataclasses import dataclass

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Constant:
    """One message every `interval_ns`, from `first_ns` on, before `end_ns`; an interval of 0 means none at all."""

    first_ns: int
    interval_ns: int
    end_ns: int

    def due_ns(self, n: int) -> int | None:
        """When the n-th message (from 0) is due; None when there is none."""
        due = self.first_ns + n * self.interval_ns
        return due if self.interval_ns and due < self.end_ns else None


def open_due_ns(start_ns: int, ramp_s: float, number: int, sessions: int) -> int:
    """When session `number` of `sessions` is to open: evenly over the ramp."""
    return start_ns + round(ramp_s * SECOND * number / sessions)


def spread(rate_per_s: float, start_ns: int, end_ns: int, number: int, sessions: int) -> Constant:
    """The pace of session `number`: each starts at its own phase, so that they do not all speak at once."""
    if rate_per_s <= 0:
        return Constant(start_ns, 0, end_ns)
    interval = round(SECOND / rate_per_s)
    return Constant(start_ns + interval * number // sessions, interval, end_ns)
