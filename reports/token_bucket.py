"""Token buckets and what requests prove about them: pure arithmetic on times, without rows.

A bucket of `size` tokens that refills at `rate` per second accepts at most `size + rate * T` messages in any T seconds,
and refuses one only if it holds less than one token. When the endpoint took a token is not known exactly: after the
request was sent and before its answer arrived. Everything here therefore assumes the time that accuses least: windows
of accepted messages are as long as they can have been, and a refusal found every earlier request charged as late as its
answer allows. So neither jitter of the network nor a slow endpoint can produce an excess or a needless refusal.

The same two inequalities, turned round, are what an estimate rests on: each window of accepted messages gives a lower
bound of (rate, size), and each refusal an upper one. The pairs between the bounds explain everything that was seen; the
intervals are their extremes, not a matter of chance.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

DRIFT = 1e-4
"""How far the endpoint's clock may run fast or slow against ours, as a share."""
RESOLUTION_S = 1e-3
"""What an endpoint's clock may leave out: many count in milliseconds."""
EPSILON = 1e-5
"""Tokens that rounding may make or take."""
STEP = 1.25
"""The ratio of the rates between which is looked first."""
PRECISION = 5e-5
"""How exactly a rate is found, as a share; an interval is wider, because of DRIFT."""


class Spans(NamedTuple):
    """Requests by bucket, numbered from 0, and time of sending; each was handled between two times, in seconds."""

    bucket: Array
    since: Array
    until: Array

    @property
    def starts(self) -> Array:
        """The index of each bucket's first."""
        return np.flatnonzero(np.diff(self.bucket, prepend=-1))

    @property
    def nth(self) -> Array:
        """The number of each in its bucket, from 0."""
        starts = self.starts
        number: Array = np.arange(len(self.bucket)) - np.repeat(starts, np.diff(starts, append=len(self.bucket)))
        return number

    def picked(self, chosen: Array) -> "Spans":
        """Some of them."""
        return Spans(self.bucket[chosen], self.since[chosen], self.until[chosen])


@dataclass(frozen=True)
class Windows:
    """Accepted messages, sorted by bucket and time of sending.

    Args:
        starts: the index of each bucket's first.
        nth: the number of each in its bucket, from 0.
        sent: when it was sent.
        by: by when it and all before it in its bucket had been accepted.
    """

    starts: Array
    nth: Array
    sent: Array
    by: Array

    @classmethod
    def of(cls, accepted: Spans) -> "Windows":
        """The windows that begin and end with any of these."""
        starts = accepted.starts
        return cls(starts, accepted.nth, accepted.since, -running_least(-accepted.until, starts))

    def backlog(self, rate: float) -> tuple[Array, Array]:
        """For each message: the most tokens missing when a window ends with it, and how that window opened.

        A window from message i to message j needs j - i + 1 - rate * (by[j] - sent[i]) tokens of the bucket's size.
        What depends on i is its opening, so the best i for every j is a running minimum.
        """
        fast = rate * (1 + DRIFT)
        opening = self.nth - fast * self.sent
        least = running_least(opening, self.starts)
        return self.nth + 1 - fast * self.by - least, least


def running_least(values: Array, starts: Array) -> Array:
    """The least of the values so far, separately in each of the segments that begin at `starts`."""
    least: Array
    if len(starts) < 2:
        least = np.minimum.accumulate(values)
        return least
    lowest, highest = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    below = np.concatenate([[0.0], np.cumsum(np.maximum(0.0, highest[1:] - lowest[:-1]) + 1)])
    shift = np.repeat(below, np.diff(starts, append=len(values)))
    least = np.minimum.accumulate(values - shift) + shift
    return least


@dataclass(frozen=True)
class Excess:
    """More accepted than buckets allow: how many messages in how many buckets, and the window that shows most of it."""

    count: int
    buckets: int
    bucket: int
    from_s: float
    to_s: float
    accepted: int
    allowed: int


def excess(messages: Spans, rate: float, size: float) -> Excess | None:
    """The messages that buckets of a rate (per second) and a size cannot have accepted; None if they can have.

    Windows that do not overlap are counted together: one ends where a full bucket explains everything before.
    """
    if not len(messages.bucket):
        return None
    windows = Windows.of(messages)
    backlog, least = windows.backlog(rate)
    over = backlog - (size + rate * RESOLUTION_S)
    if over.max() <= EPSILON:
        return None
    opens = np.append(True, np.diff(least) < -EPSILON)
    opens[windows.starts] = True
    firsts = np.flatnonzero(opens)
    most = np.maximum.reduceat(over, firsts)
    beyond = np.ceil(most[most > EPSILON] - EPSILON)
    last = int(np.argmax(over))
    first = int(firsts[np.searchsorted(firsts, last, "right") - 1])
    return Excess(
        count=int(beyond.sum()),
        buckets=len(np.unique(messages.bucket[firsts[most > EPSILON]])),
        bucket=int(messages.bucket[first]),
        from_s=float(windows.sent[first]),
        to_s=float(windows.by[last]),
        accepted=last - first + 1,
        allowed=last - first + 1 - int(beyond.max()),
    )


@dataclass(frozen=True)
class Evidence:
    """What is known of some buckets.

    Args:
        accepted: messages that were certainly accepted.
        charged: requests that may have cost a token, whatever they were; those that were never answered end after all.
        refused: messages that were throttled.
        empty_at: for each bucket: when it held no fewer than 0 tokens, which is all that is known of its beginning;
            minus infinity: it began full.
        step: how many requests are taken together where there are too many; only with one bucket.
    """

    accepted: Spans
    charged: Spans
    refused: Spans
    empty_at: Array
    step: int = 1

    @cached_property
    def windows(self) -> Windows:
        """What was accepted; with a step, windows begin and end only with every n-th message."""
        whole = Windows.of(self.accepted)
        if self.step == 1:
            return whole
        return Windows(whole.starts, *(one[:: self.step] for one in (whole.nth, whole.sent, whole.by)))

    @cached_property
    def before(self) -> "_Before":
        """What went before each refusal."""
        return _Before.of(self)

    def in_time(self) -> "Evidence":
        """The same, had each request been handled the moment it was sent."""
        charged, refused = self.charged, self.refused
        return replace(
            self,
            charged=charged._replace(until=charged.since),
            refused=refused._replace(until=refused.since),
        )


@dataclass(frozen=True)
class _Before:
    """What went before each refusal, as far as it does not depend on the rate.

    Args:
        sent: when the refused message was sent.
        charged: how many others may have taken a token before it was refused.
        answered: how many others had been answered when it was sent.
        taken_by: by when each token had been taken, sorted in each bucket; with a step, only every n-th.
        taken_nth: the number of that token in its bucket; with a step, of the first of them.
        taken_starts: the index of each bucket's first token.
        last: the index of the last token taken before it was sent; -1: none.
        empty_at: that of its bucket.
    """

    sent: Array
    charged: Array
    answered: Array
    taken_by: Array
    taken_nth: Array
    taken_starts: Array
    last: Array
    empty_at: Array

    @classmethod
    def of(cls, evidence: Evidence) -> "_Before":
        """Count what was charged before each refusal."""
        charged, refused, step = evidence.charged, evidence.refused, evidence.step
        end_s = max(float(each.max(initial=0.0)) for each in (charged.since, refused.until)) + 1.0
        by = np.minimum(charged.until, end_s)
        # One time line after the other: what is looked up is a bucket and a time.
        far = end_s + 1.0
        at = charged.bucket * far
        by = by[np.argsort(at + by, kind="stable")]
        begins = np.searchsorted(charged.bucket, refused.bucket, "left")
        answered = np.searchsorted(at + by, refused.bucket * far + refused.since, "left")
        return cls(
            sent=refused.since,
            charged=np.searchsorted(at + charged.since, refused.bucket * far + refused.until, "right") - begins,
            answered=answered - begins,
            taken_by=by if step == 1 else by[np.minimum(np.arange(step - 1, len(by) + step - 1, step), len(by) - 1)],
            taken_nth=charged.nth[::step],
            taken_starts=charged.starts,
            last=np.where(answered > begins, answered // step - 1 if step > 1 else answered - 1, -1),
            empty_at=evidence.empty_at[refused.bucket],
        )


def least_tokens(evidence: Evidence, rate: float, size: float) -> Array:
    """For each throttled message: the fewest tokens that a bucket can have held when it was refused."""
    spent, since = _spent(evidence, rate)
    return np.minimum(size + spent, since)


def _spent(evidence: Evidence, rate: float) -> tuple[Array, Array]:
    """For each throttled message: tokens missing from a full bucket, as a negative number, and those since `empty_at`.

    The level of a bucket is the least, over all earlier times, of: full then, plus the refill, less what was taken.
    """
    before, slow = evidence.before, rate * (1 - DRIFT)
    refill = slow * (before.sent - RESOLUTION_S) - before.charged
    spent = before.answered - before.charged - (evidence.step - 1.0)  # if it was full when the message was sent
    if len(before.taken_by):  # ... or when one of the tokens before was taken
        full = running_least(before.taken_nth - slow * before.taken_by, before.taken_starts)
        spent = np.minimum(spent, np.where(before.last >= 0, refill + full[before.last], np.inf))
    return spent, np.where(np.isinf(before.empty_at), np.inf, refill - slow * np.maximum(before.empty_at, 0.0))


@dataclass(frozen=True)
class Interval:
    """What a figure of a bucket can be; `high` is None where nothing bounds it."""

    low: float
    high: float | None

    @property
    def middle(self) -> float | None:
        """The estimate; None where one side is open."""
        return (self.low + self.high) / 2 if self.high is not None and self.low > 0 else None


@dataclass(frozen=True)
class Estimate:
    """The rate (per second) and the size of the buckets that explain the evidence."""

    rate: Interval
    size: Interval


def estimate(evidence: Evidence) -> Estimate | None:
    """The buckets that can have accepted and refused exactly this, all of one rate and size; None if there are none."""
    if not len(evidence.accepted.bucket) or not len(evidence.refused.bucket):
        return None
    bounds = _Bounds(evidence)
    ranges = [*_ranges(bounds)]
    if not ranges:
        return None
    low, high = ranges[0] if len(ranges) == 1 else min(ranges, key=lambda one: _implausible(bounds, *one))
    most = bounds.largest(low)
    return Estimate(
        rate=Interval(low, None if np.isinf(high) else high),
        size=Interval(bounds.smallest(min(high, bounds.fastest)), None if np.isinf(most) else most),
    )


class _Bounds:
    """The bounds of the size at each rate; both fall as the rate rises. Each is computed once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.smallest = cache(lambda rate: max(1.0, smallest(evidence, rate)))
        self.largest = cache(lambda rate: _largest(evidence, rate))
        took_s = np.maximum(RESOLUTION_S, evidence.windows.by - evidence.windows.sent[0])
        self.slowest = 0.01 / float(took_s.max())
        self.fastest = 10 * fastest(evidence)

    def leave_room(self, rate: float) -> bool:
        """Whether a size is possible at this rate; a bucket of less than one token would never accept anything."""
        return self.largest(rate) > self.smallest(rate)

    def include(self, low: float, high: float) -> bool:
        """Whether a size is possible at every rate in between: the bounds of the ends hold for all of them."""
        return self.largest(high) > self.smallest(low)

    def exclude(self, low: float, high: float) -> bool:
        """Whether no size is possible at any rate in between."""
        return self.largest(low) <= self.smallest(high)


def _ranges(bounds: _Bounds) -> Iterator[tuple[float, float]]:
    """The ranges of rates at which a size is possible, found by halving what is neither included nor excluded."""
    count = 2 + int(np.log(bounds.fastest / bounds.slowest) / np.log(STEP))
    rates = [0.0, *np.geomspace(bounds.slowest, bounds.fastest, count).tolist()]
    waiting = [*pairwise(rates)][::-1]
    begin = end = -1.0
    while waiting:
        low, high = waiting.pop()
        if bounds.exclude(low, high):
            continue
        middle = (low + high) / 2
        is_possible = bounds.include(low, high)
        if not is_possible and high - low > PRECISION * max(high, bounds.slowest):
            waiting += [(middle, high), (low, middle)]
        elif is_possible or any(map(bounds.leave_room, (low, middle, high))):
            if low != end:
                if end >= 0:
                    yield begin, end
                begin = low
            end = high
    if end >= 0:
        yield begin, np.inf if end == rates[-1] and bounds.leave_room(end) else end


def _implausible(bounds: _Bounds, low: float, high: float) -> tuple[bool, int]:
    """How little to believe in one of several possible ranges: whether it needs luck, and for how many refusals.

    What a bucket held before the run may be any number, so a very slow and very large one explains everything if it
    held just what was accepted. And load in even steps is also explained by a bucket of one token that refills just as
    fast, so that each refusal is a matter of a millisecond.
    """
    rate = (low + min(high, 2 * low)) / 2
    least, most = bounds.smallest(rate), bounds.largest(rate)
    if np.isinf(most):
        return True, 0
    tokens = least_tokens(bounds.evidence.in_time(), rate, (least + most) / 2)
    return False, int(np.count_nonzero(tokens >= 1))


def fastest(evidence: Evidence) -> float:
    """The highest rate, per second, at which any bucket accepted messages in all."""
    windows = evidence.windows
    lasts = np.append(windows.starts[1:], len(windows.nth)) - 1
    took_s = np.maximum(RESOLUTION_S, windows.by[lasts] - windows.sent[windows.starts])
    return float(((windows.nth[lasts] + 1) / took_s).max())


def smallest(evidence: Evidence, rate: float) -> float:
    """The smallest size with which buckets of this rate can have accepted all that was accepted."""
    return float(evidence.windows.backlog(rate)[0].max(initial=0.0)) - rate * RESOLUTION_S


def _largest(evidence: Evidence, rate: float) -> float:
    """The largest size with which buckets of this rate can have been empty at each refusal."""
    spent, since = _spent(evidence, rate)
    return float(np.where(since < 1, np.inf, 1 - spent).min(initial=np.inf))


def size_at(evidence: Evidence, rate: float) -> Interval:
    """The sizes that are possible if buckets have this rate."""
    largest = _largest(evidence, rate)
    return Interval(max(1.0, smallest(evidence, rate)), None if np.isinf(largest) else largest)


def least_rate(evidence: Evidence, size: float) -> float:
    """The smallest rate, per second, with which buckets of this size can have accepted all that was accepted."""
    low, high = 0.0, fastest(evidence)
    if smallest(evidence, low) <= size:
        return 0.0
    while smallest(evidence, high) > size:
        low, high = high, 2 * high
    while high - low > PRECISION * high:
        middle = (low + high) / 2
        low, high = (low, middle) if smallest(evidence, middle) <= size else (middle, high)
    return high
