"""The promised throttle beside the measured one, and what was accepted or refused against the promise.

For the section `rejections`. `token_bucket.py` has the arithmetic, `buckets.py` who shares a bucket.
"""

from typing import Literal

import msgspec
import numpy as np

from .buckets import Requests, requests, session_of
from .rows import Array, Rows
from .token_bucket import Estimate, Evidence, Interval, estimate, excess, least_rate, least_tokens, size_at, smallest

DIGITS = 3
MANY_REQUESTS = 20_000
"""From how many requests on an estimate looks at no further bucket: more of them take long and tell little."""
MOST_REQUESTS = 200_000
"""How many requests of one bucket are looked at one by one."""


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """The throttle in the contract."""

    rate_per_s: float
    """tokens per second"""
    size: int
    """most tokens in the bucket"""
    scope: Literal["connection", "session", "endpoint"]
    """who shares a bucket"""


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of the endpoint's bucket, with the interval that accepted and refused requests leave."""

    estimate: float | None
    """middle of the interval; `null` where one side is open"""
    low: float
    """least value that explains what was accepted"""
    high: float | None
    """greatest value that explains what was refused; `null`: none was refused that would tell"""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The token bucket that explains what was accepted and refused."""

    rate_per_s: Measure
    """tokens per second"""
    size: Measure
    """most tokens in the bucket; where nothing bounds the rate, if that is as promised"""
    buckets: int
    """number of buckets that the estimate rests on"""


class TooMany(msgspec.Struct, frozen=True, kw_only=True):
    """A window in which more messages were accepted than the promise allows, whenever in it they were accepted."""

    session: int | None
    """the session; `null` where all share a bucket"""
    from_s: float
    """first sending, since the run began"""
    to_s: float
    """last answer, since the run began"""
    accepted: int
    """messages accepted"""
    allowed: int
    """messages that the promise allows in that time"""


class TooFew(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was throttled although the promised bucket cannot have been empty."""

    session: int | None
    """the session; `null` where all share a bucket"""
    at_s: float
    """when it was sent, since the run began"""
    tokens: float
    """tokens that the promised bucket held at least"""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """The throttle: promised and measured."""

    promised: Promised | None
    """the promise; `null` without one"""
    measured: Measured | None
    """the bucket that was seen; `null` if nothing was throttled or over the promise, or if no bucket explains it"""
    buckets: int
    """number of connections, sessions or endpoints with a bucket in which requests were counted"""
    accepted: int
    """messages that were accepted"""
    throttled: int
    """messages refused with one of `throttle_codes`"""
    exceeded: int | None
    """number of buckets for which more was sent than promised; `null` without a promise"""
    accepted_over_limit: int | None
    """messages accepted beyond the promise; `null` without one"""
    throttled_within_limit: int | None
    """messages throttled although the promised bucket had a token; `null` without a promise"""
    most_over: TooMany | None
    """the window that exceeded the promise by most"""
    most_within: TooFew | None
    """the throttled message for which the promised bucket had most tokens"""


def limit(rows: Rows) -> Limit | None:
    """The throttle, promised and measured; None where none is promised and nothing was throttled."""
    asked, promised = requests(rows), promise(rows)
    if promised is None and not asked.throttled.any():
        return None
    exceeded = over = within = most_over = most_within = None
    if promised is not None:
        telling = asked.of_buckets(might_tell(asked, promised.size))
        exceeded = buckets_over(telling, promised)
        over, most_over = accepted_over(rows, telling, promised)
        within, most_within = throttled_within(rows, telling, promised)
    return Limit(
        promised=promised,
        measured=measured(asked, promised) if over or asked.throttled.any() else None,
        buckets=len(asked.starts),
        accepted=int(np.count_nonzero(asked.accepted)),
        throttled=int(np.count_nonzero(asked.throttled)),
        exceeded=exceeded,
        accepted_over_limit=over,
        throttled_within_limit=within,
        most_over=most_over,
        most_within=most_within,
    )


def might_tell(asked: Requests, size: int) -> Array:
    """For each bucket: whether anything was throttled, or more was sent than a full one holds."""
    many: Array = np.bincount(asked.bucket, minlength=len(asked.starts)) > size
    return many | (_count(asked, asked.throttled) > 0)


def _count(asked: Requests, chosen: Array) -> Array:
    """For each bucket: how many of its requests are chosen."""
    return np.bincount(asked.bucket[chosen], minlength=len(asked.starts))


def buckets_over(asked: Requests, promised: Promised) -> int:
    """For how many buckets more was sent than promised."""
    found = excess(asked.asked, promised.rate_per_s, promised.size)
    return found.buckets if found else 0


def accepted_over(rows: Rows, asked: Requests, promised: Promised) -> tuple[int, TooMany | None]:
    """How many messages were accepted beyond the promise, and the window that shows most."""
    found = excess(asked.spans.picked(asked.accepted), promised.rate_per_s, promised.size)
    if found is None:
        return 0, None
    return found.count, TooMany(
        session=session_of(rows, asked.keys[asked.starts[found.bucket]]),
        from_s=round(found.from_s, 3),
        to_s=round(found.to_s, 3),
        accepted=found.accepted,
        allowed=found.allowed,
    )


def throttled_within(rows: Rows, asked: Requests, promised: Promised) -> tuple[int, TooFew | None]:
    """How many messages were throttled within the promise, and the one that shows it best."""
    evidence = asked.evidence()
    tokens = least_tokens(evidence, promised.rate_per_s, promised.size)
    count = int(np.count_nonzero(tokens >= 1))
    if not count:
        return 0, None
    most = int(np.argmax(tokens))
    return count, TooFew(
        session=session_of(rows, asked.keys[asked.starts[evidence.refused.bucket[most]]]),
        at_s=round(float(evidence.refused.since[most]), 3),
        tokens=round(float(tokens[most]), 2),
    )


def promise(rows: Rows) -> Promised | None:
    """The contract's throttle."""
    contract = rows.contract
    if contract.throttle_per_s is None or contract.throttle_burst is None:
        return None
    return Promised(rate_per_s=contract.throttle_per_s, size=contract.throttle_burst, scope=contract.throttle_scope)


def most_telling(asked: Requests) -> Evidence:
    """The evidence of the buckets in which most was throttled, then most accepted, up to a number of requests."""
    lengths = np.diff(asked.starts, append=len(asked.keys))
    best = np.lexsort((_count(asked, asked.accepted), _count(asked, asked.throttled)))[::-1]
    enough = 1 + int(np.searchsorted(np.cumsum(lengths[best]), MANY_REQUESTS))
    chosen = np.zeros(len(asked.starts), bool)
    chosen[best[: max(1, enough - 1)]] = True
    picked = asked.of_buckets(chosen)
    return picked.evidence(step=1 + len(picked.keys) // MOST_REQUESTS)


def measured(asked: Requests, promised: Promised | None) -> Measured | None:
    """The bucket that explains what was seen; without a refusal, what it must be at least.

    A burst that is over at once shows no rate, and with a rate that is high enough any size: then the size is the one
    that goes with the promised rate.
    """
    evidence = most_telling(asked)
    if len(evidence.refused.bucket):
        found = estimate(evidence)
        if found and promised and found.rate.high is None and found.rate.low <= promised.rate_per_s:
            found = Estimate(rate=found.rate, size=size_at(evidence, promised.rate_per_s))
    elif promised is not None:
        rate, size = least_rate(evidence, promised.size), smallest(evidence, promised.rate_per_s)
        found = Estimate(rate=Interval(rate, None), size=Interval(size, None))
    else:
        found = None
    if found is None:
        return None
    return Measured(rate_per_s=_measure(found.rate), size=_measure(found.size), buckets=len(evidence.empty_at))


def _measure(found: Interval) -> Measure:
    """An interval with as many digits as mean something."""
    middle, high = found.middle, found.high
    return Measure(
        estimate=None if middle is None else round(float(middle), DIGITS),
        low=round(float(found.low), DIGITS),
        high=None if high is None else round(float(high), DIGITS),
    )
