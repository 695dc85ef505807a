"""Pacing: when the n-th message of a session is due. Pure arithmetic on nanoseconds; no clock.

Due times are absolute: they follow from the plan, the seed and the session's number alone, so that a stall of the
generator or of the endpoint never moves them (wrk2's answer to coordinated omission), and it does not matter how many
processes share the sessions. The one exception is `Thinking`, a closed loop; every report of such a run says so.

Subtle: the phase. Session k of S is always k/S of a message behind session 0, whatever the rate does. So a thousand
sessions never publish at once, and together they have sent S times the integral of the rate at any moment, give or
take one.
"""

import math
from array import array
from dataclasses import dataclass
from typing import Protocol

from ..errors import UsageError
from ..plan.load import Load
from ..plan.shape import Constant, Poisson, Replay, Think
from ..units import SECOND
from .rate_curve import Curve, curve

NOT_YET = 1 << 62
"""Due at a time that is not known yet: after the answer to the message before."""

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


class Pace(Protocol):
    """When one session's messages are due."""

    def due_ns(self, n: int) -> int | None:
        """When the n-th message (from 0) is due; never earlier than the one before; None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class ConstantPace:
    """One message every `interval_ns`, from `first_ns` on, before `end_ns`; an interval of 0 means none at all."""

    first_ns: int
    interval_ns: int
    end_ns: int

    def due_ns(self, n: int) -> int | None:
        """When the n-th message (from 0) is due; None when there is none."""
        due = self.first_ns + n * self.interval_ns
        return due if self.interval_ns and due < self.end_ns else None


NEVER = ConstantPace(0, 0, 0)
"""The pace of a session that says nothing."""


@dataclass(frozen=True, slots=True)
class Every:
    """Of another pace's messages every `step`-th, from the `first` (from 0) on; see `seldom`.

    Raises:
        UsageError: that pace is of a closed loop.
    """

    pace: Pace
    step: int
    first: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.pace, Thinking):
            raise UsageError(
                "Every(...) cannot count in a closed loop, whose times are not known beforehand: use seldom(...)"
            )

    def due_ns(self, n: int) -> int | None:
        """When the n-th (from 0) of these is due; None when there is none."""
        return self.pace.due_ns(self.first + n * self.step)


@dataclass(frozen=True, slots=True)
class Even:
    """As many messages as the curve's integral, `phase` (0 to 1) of a message behind; before `end_ns`."""

    curve: Curve
    phase: float
    start_ns: int
    end_ns: int

    def due_ns(self, n: int) -> int | None:
        """When the n-th message (from 0) is due; None when there is none."""
        return _between(self.curve.when(n + self.phase), self.start_ns, self.end_ns)


class Random:
    """A Poisson process whose rate is the curve: gaps of the integral are exponential, drawn from `key` and n alone.

    It remembers where it is (three numbers), for the n-th time is the sum of n gaps; going back begins again.
    """

    __slots__ = ("_curve", "_end_ns", "_key", "_n", "_start_ns", "_total")

    def __init__(self, curve: Curve, key: int, start_ns: int, end_ns: int) -> None:
        self._curve = curve
        self._key = key
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._n = -1
        self._total = 0.0

    def due_ns(self, n: int) -> int | None:
        """When the n-th message (from 0) is due; None when there is none."""
        if n < self._n:
            self._n, self._total = -1, 0.0
        while self._n < n:
            self._n += 1
            self._total += exponential(self._key, self._n)
        return _between(self._curve.when(self._total), self._start_ns, self._end_ns)


@dataclass(frozen=True, slots=True)
class Replayed:
    """Every `step`-th time of a list that all sessions share, from the `first` on; `times_ns` since `start_ns`."""

    times_ns: "array[int]"
    first: int
    step: int
    start_ns: int
    end_ns: int

    def due_ns(self, n: int) -> int | None:
        """When the n-th message (from 0) is due; None when there is none."""
        index = self.first + n * self.step
        if index >= len(self.times_ns):
            return None
        due = self.start_ns + self.times_ns[index]
        return due if due < self.end_ns else None


class Thinking:
    """Closed loop: the next message is due a think time after the one before has ended; the sender says when.

    Only the message after the last that ended is known: what comes later is due `NOT_YET`.
    """

    __slots__ = ("_due_ns", "_end_ns", "_key", "_n", "_spread", "_think_ns")

    def __init__(self, first_ns: int, think_ns: int, end_ns: int, key: int | None = None) -> None:
        """`key` None: every think time is `think_ns`; otherwise they are exponential with that mean."""
        self._n = 0
        self._due_ns = first_ns
        self._think_ns = think_ns
        self._end_ns = end_ns
        self._key = key

    def due_ns(self, n: int) -> int | None:
        """When the n-th message (from 0) is due; NOT_YET while the one before is under way; None for none."""
        if self._due_ns >= self._end_ns:
            return None
        return self._due_ns if n <= self._n else NOT_YET

    def slower(self, step: int, first: int = 0) -> "Thinking":
        """One who thinks `step` times as long, and begins `first` times a think time later."""
        return Thinking(self._due_ns + first * self._think_ns, step * self._think_ns, self._end_ns, self._key)

    def put_off(self, due_ns: int) -> None:
        """Who is away says nothing: the message that is due now is due then instead."""
        self._due_ns = due_ns

    def ended(self, n: int, now_ns: int) -> int | None:
        """Message n was answered, refused, given up or never sent: the thinking about the next begins.

        Returns:
            When the next is due, None for none; NOT_YET if message n is not the one that was under way.
        """
        if n != self._n:
            return NOT_YET
        self._n = n + 1
        think_ns = self._think_ns if self._key is None else round(self._think_ns * exponential(self._key, n))
        self._due_ns = due_ns = now_ns + think_ns
        return due_ns if due_ns < self._end_ns else None


def seldom(pace: Pace, step: int, first: int = 0) -> Pace:
    """The pace of what is done `step` times more seldom: every `step`-th of the due times, from the `first` (from 0)
    on; in a closed loop, where the times are not known beforehand, thinking is `step` times as long.
    """
    return pace.slower(step, first) if isinstance(pace, Thinking) else Every(pace, step, first)


class Pacer:
    """Gives every session its pace; one a process, since curve and replayed times are shared.

    `replayed_ns` are the times of a `replay`, in nanoseconds since `start_ns`, in order.
    """

    def __init__(
        self, load: Load, seed: int, start_ns: int, end_ns: int, replayed_ns: "array[int] | None" = None
    ) -> None:
        self._load = load
        self._seed = seed
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._replayed_ns = replayed_ns if replayed_ns is not None else array("q")
        self._curve = curve(load)

    def of(self, number: int) -> Pace:
        """The pace of session `number`."""
        load, start_ns, end_ns = self._load, self._start_ns, self._end_ns
        shape = load.shape
        if isinstance(shape, Constant):
            return spread(load.rate_per_s, start_ns, end_ns, number, load.sessions)
        if isinstance(shape, Replay):
            return Replayed(self._replayed_ns, number, load.sessions, start_ns, end_ns)
        if isinstance(shape, Think):
            think_ns = round(shape.think_time_s * SECOND)
            key = session_key(self._seed, number) if shape.spread == "exponential" else None
            return Thinking(start_ns + think_ns * number // load.sessions, think_ns, end_ns, key)
        if isinstance(shape, Poisson) or shape.spacing == "poisson":
            return Random(self._curve, session_key(self._seed, number), start_ns, end_ns)
        return Even(self._curve, number / load.sessions, start_ns, end_ns)


def spread(rate_per_s: float, start_ns: int, end_ns: int, number: int, sessions: int) -> ConstantPace:
    """The constant pace of session `number`: each starts at its own phase, so that they do not all speak at once."""
    if rate_per_s <= 0:
        return ConstantPace(start_ns, 0, end_ns)
    interval = round(SECOND / rate_per_s)
    return ConstantPace(start_ns + interval * number // sessions, interval, end_ns)


def planned(pace: Pace, until_ns: int, n: int = 0, from_ns: int = 0) -> int:
    """How many messages, from the n-th on, are due from `from_ns` until before `until_ns`; of a closed loop only what
    is known now.

    What a session never got round to is `planned(pace, load_end_ns, n)` with the first n that it has not sent.
    """
    found = 0
    while (due := pace.due_ns(n)) is not None and due < until_ns:
        found += due >= from_ns
        n += 1
    return found


def exponential(key: int, n: int) -> float:
    """The n-th of a session's exponential numbers with mean 1: the same for the same key and n, whenever asked.

    The numbers are splitmix64's (Steele, Lea and Flood, 2014): a counter, well mixed, so that no state is kept.
    """
    return -math.log(1.0 - (mixed(key + (n + 1) * GOLDEN) >> 11) * 2.0**-53)


def session_key(seed: int, number: int) -> int:
    """What a session's random numbers start from."""
    return mixed(mixed(seed & MASK) + number * GOLDEN)


def mixed(number: int) -> int:
    """The finalizer of splitmix64: 64 bits, every one of which depends on every one of `number`'s."""
    number &= MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return number ^ (number >> 31)


def _between(at_s: float, start_ns: int, end_ns: int) -> int | None:
    """A time on the curve as nanoseconds; None when it is at or after the end."""
    if at_s == math.inf:
        return None
    due = start_ns + int(at_s * SECOND)
    return due if due < end_ns else None
