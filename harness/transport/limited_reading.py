"""Reading slowly on purpose: so many bytes per second from one socket, in place of its watcher."""

from collections.abc import Callable

from ..units import SECOND
from .clock import Agenda, Timer

STEP_NS = SECOND // 4
"""How often something is read; often enough for a trickle, and cheap with thousands of slow sockets."""

Read = Callable[[int], int]
"""Reads at most so many bytes and returns how many it read."""


class LimitedReading:
    """Calls `read` on time, so that never more than `bytes_per_s` times the elapsed seconds are read.

    What was not there to be read is made up for by one second's worth at most.

    Args:
        clock: to wait by.
        bytes_per_s: the limit, at least 1.
        read: does the reading; it may end this from within.
    """

    __slots__ = ("_allowed", "_bytes_per_s", "_clock", "_looked", "_read", "_timer")

    def __init__(self, clock: Agenda, bytes_per_s: int, read: Read) -> None:
        self._clock = clock
        self._read = read
        self._bytes_per_s = bytes_per_s
        self._allowed = 0.0
        self._looked = clock.now()
        self._timer: Timer | None = clock.after(STEP_NS, self._step)

    def _step(self) -> None:
        now = self._clock.now()
        allowed = self._allowed + self._bytes_per_s * (now - self._looked) / SECOND
        self._allowed = min(allowed, float(self._bytes_per_s))
        self._looked = now
        self._timer = self._clock.after(STEP_NS, self._step)
        if self._allowed >= 1:
            self._allowed -= self._read(int(self._allowed))

    def catch_up(self, at_once: int, done: Callable[[], None]) -> None:
        """End the limit: read the backlog, `at_once` bytes at a time, and call `done` when it is gone."""
        self.stop()

        def step() -> None:
            self._timer = self._clock.after(0, step)
            if self._read(at_once) < at_once and self._timer is not None:
                self.stop()
                done()

        self._timer = self._clock.after(0, step)

    def stop(self) -> None:
        """Read no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
