"""Time: the monotonic clock, what the kernel's arrival stamps mean on it, and the one timer that wakes due work.

gevent's own timers have millisecond grain (0.5 ms late in the median), so due work waits in one heap behind one
`timerfd` watched by the hub, which wakes 55 us late (docs/design.md, decision 3). Where there is no timerfd, the hub's
timer serves: coarser, and the send delay that every result shows says so.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

import gevent
from gevent.hub import Waiter

from ..units import MILLISECOND, SECOND

BATCH = 256
"""Due callbacks run in one go at most, so that due work never starves the sockets."""

SPARED = 1_000
"""So many cancelled pieces of work may always lie about."""

OFFSET_AGE_NS = 50 * MILLISECOND
STEP_NS = MILLISECOND
"""The wall clock moving against the monotonic one by more than this in one look is a step, not a slew."""

Callback = Callable[[], None]
Failure = Callable[[BaseException], None]


class Timer:
    """One piece of due work; `cancel` forgets it."""

    __slots__ = ("_agenda", "_callback", "due_ns")

    def __init__(self, due_ns: int, callback: Callback, agenda: "Agenda") -> None:
        self.due_ns = due_ns
        self._callback: Callback | None = callback
        self._agenda = agenda

    @property
    def is_live(self) -> bool:
        """Whether it is still to be called."""
        return self._callback is not None

    def __lt__(self, other: "Timer") -> bool:
        return self.due_ns < other.due_ns

    def cancel(self) -> None:
        """Never call it; harmless when it was called already."""
        if self._callback is not None:
            self._callback = None
            self._agenda.forget()

    def take(self) -> Callback | None:
        """What is to be called, once; None when it was cancelled."""
        callback, self._callback = self._callback, None
        return callback


class Agenda:
    """A heap of due work on some clock; `Clock` wakes it by the kernel, `FakeClock` by hand.

    Callbacks run in the hub: they must neither block nor switch. One that raises is reported to `failure`
    and does not keep the others from running.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = 0
        self._dead = 0
        self._running = False
        self.failure: Failure = _raise

    def now(self) -> int:
        """Nanoseconds on the monotonic clock."""
        raise NotImplementedError

    def at(self, due_ns: int, callback: Callback) -> Timer:
        """Call `callback` in the hub when `due_ns` has come; at once (but not from here) when it has passed."""
        timer = Timer(due_ns, callback, self)
        self._order += 1
        heappush(self._heap, (due_ns, self._order, timer))
        if self._heap[0][2] is timer and not self._running:
            self._arm(due_ns)
        return timer

    def after(self, delay_ns: int, callback: Callback) -> Timer:
        """Call `callback` that much later than now."""
        return self.at(self.now() + delay_ns, callback)

    def forget(self) -> None:
        """One timer was cancelled. When most are, they go: what waits for long and is cancelled soon would pile up."""
        self._dead += 1
        if self._dead > SPARED and self._dead * 2 > len(self._heap):
            self._heap[:] = [entry for entry in self._heap if entry[2].is_live]
            heapify(self._heap)
            self._dead = 0

    def _arm(self, due_ns: int) -> None:
        """Wake at this time, instead of any that was asked for before."""
        raise NotImplementedError

    def _disarm(self) -> None:
        """Wake no more until armed again."""

    def _run_due(self) -> None:
        heap, now = self._heap, self.now()
        self._running = True  # whatever is put on the heap meanwhile, one arming at the end serves
        try:
            for _ in range(BATCH):
                if not heap or heap[0][0] > now:
                    break
                callback = heappop(heap)[2].take()
                if callback is None:
                    self._dead -= 1
                    continue
                try:
                    callback()
                except BaseException as error:  # noqa: BLE001 - the hub would print and swallow it
                    self.failure(error)
        finally:
            self._running = False
            if heap:
                self._arm(heap[0][0])
            else:
                self._disarm()


class Clock(Agenda):
    """The real clock of one process; make it after the process has forked, `close` it at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.step_ns = 0
        """The largest step of the wall clock seen, signed."""
        self._offset_at = 0
        self._offset = _offset()
        self._alarm: _TimerFd | _HubTimer = _TimerFd(self._run_due) if _has_timerfd() else _HubTimer(self._run_due)

    now = staticmethod(time.monotonic_ns)

    def monotonic(self, wall_ns: int, read_ns: int) -> int:
        """A kernel stamp (wall clock) on the monotonic clock; never later than `read_ns`, when we looked."""
        if read_ns - self._offset_at > OFFSET_AGE_NS:
            self.look_at_wall(read_ns)
        arrived = wall_ns + self._offset
        return arrived if arrived < read_ns else read_ns

    def look_at_wall(self, now_ns: int) -> None:
        """Measure the wall clock against ours again, and notice a step."""
        offset = _offset()
        moved = offset - self._offset
        if abs(moved) > STEP_NS and abs(moved) > abs(self.step_ns):
            self.step_ns = -moved
        self._offset, self._offset_at = offset, now_ns

    def sleep_until(self, due_ns: int) -> None:
        """Let the calling greenlet sleep until `due_ns`; returns at once when it has passed."""
        if due_ns <= self.now():
            return
        waiter: Any = Waiter()
        timer = self.at(due_ns, lambda: waiter.switch(None))
        try:
            waiter.get()
        finally:
            timer.cancel()

    def _arm(self, due_ns: int) -> None:
        self._alarm.arm(due_ns)

    def _disarm(self) -> None:
        self._alarm.disarm()

    def close(self) -> None:
        """Give the timer back; nothing is called any more."""
        self._heap.clear()
        self._alarm.close()


class FakeClock(Agenda):
    """A clock that only moves when it is advanced."""

    def __init__(self, now_ns: int = SECOND) -> None:
        super().__init__()
        self.now_ns = now_ns

    def now(self) -> int:
        """The time to which it was advanced."""
        return self.now_ns

    def advance(self, delay_ns: int) -> None:
        """Move on, calling what falls due on the way at its own time."""
        end = self.now_ns + delay_ns
        while self._heap and self._heap[0][0] <= end:
            self.now_ns = max(self.now_ns, self._heap[0][0])
            self._run_due()
        self.now_ns = end

    def monotonic(self, wall_ns: int, read_ns: int) -> int:
        """As `Clock.monotonic`, with a wall clock that equals this one."""
        return min(wall_ns, read_ns)

    def _arm(self, due_ns: int) -> None:
        pass


def _raise(error: BaseException) -> None:
    raise error


def _offset() -> int:
    """Monotonic minus wall clock, from the tightest of three looks."""
    best, offset = 1 << 62, 0
    for _ in range(3):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if after - before < best:
            best, offset = after - before, (before + after) // 2 - wall
    return offset


CLOCK_MONOTONIC = 1
TFD_TIMER_ABSTIME = 1
TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC


def _has_timerfd() -> bool:
    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "timerfd_create")


class _TimerFd:
    """A timerfd under the hub (timerfd_create(2); Python has no call for it before 3.13).

    It is never read: setting it again takes the expiry back (timerfd_settime(2)), and after each expiry it is set.
    """

    def __init__(self, fire: Callback) -> None:
        libc: Any = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.timerfd_create(CLOCK_MONOTONIC, TFD_FLAGS)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self._set = libc.timerfd_settime
        # struct itimerspec: interval and value, each seconds and nanoseconds. No argument types are declared: what is
        # passed is an int, an int, an array and NULL by itself, and checking that takes a third of the call.
        self._spec = (ctypes.c_longlong * 4)()
        self._second_ns = 0
        """Where the second begins that was set last: dividing a large number takes longer than setting the timer."""
        self._watcher: Any = gevent.get_hub().loop.io(self._fd, 1)
        self._watcher.start(fire)

    def arm(self, due_ns: int) -> None:
        # An all-zero value would disarm it; a time that has passed fires at once.
        spec, nanos = self._spec, due_ns - self._second_ns
        if not 0 < nanos < SECOND:
            spec[2], nanos = divmod(due_ns if due_ns > 1 else 1, SECOND)
            self._second_ns = due_ns - nanos
        spec[3] = nanos
        self._set(self._fd, TFD_TIMER_ABSTIME, spec, None)

    def disarm(self) -> None:
        self._second_ns = self._spec[2] = self._spec[3] = 0
        self._set(self._fd, TFD_TIMER_ABSTIME, self._spec, None)

    def close(self) -> None:
        if self._fd >= 0:
            self._watcher.stop()
            self._watcher.close()
            os.close(self._fd)
            self._fd = -1


class _HubTimer:
    """The portable way: the hub's own timer, with its millisecond grain."""

    def __init__(self, fire: Callback) -> None:
        self._fire = fire
        self._timer: Any = None

    def arm(self, due_ns: int) -> None:
        self.close()
        delay_s = max(0, due_ns - time.monotonic_ns()) / SECOND
        self._timer = gevent.get_hub().loop.timer(delay_s)
        self._timer.start(self._fire, update=True)

    def disarm(self) -> None:
        self.close()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None
