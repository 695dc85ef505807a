"""Throttling: what the promised token bucket lets through and must not refuse. For the section `rejections`."""

import msgspec
import numpy as np

from harness.record.row import Closer, Kind, Outcome

from .closing import codes_of
from .rows import Array, Rows, connections

CLOSES_FOR_EXCESS = (1008, 1013)
LENIENT_BURST, LENIENT_RATE = 0.5, 0.8
TAKES_A_TOKEN = (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PROBE, Kind.PING)


class Throttle(msgspec.Struct, frozen=True, kw_only=True):
    """How bursts were answered."""

    bursts: int
    """number of bursts"""
    sent: int
    """messages sent in bursts"""
    accepted: int
    """messages accepted"""
    throttled: int
    """messages refused with one of `throttle_codes`"""
    rejected_otherwise: int
    """messages refused with another code"""
    closed: int
    """messages whose connection ended before their answer"""
    unanswered: int
    """messages without an answer in time"""
    cut_silently: int
    """connections that ended after a burst with neither an error nor a close frame that says why"""
    bursts_over_the_limit: int | None
    """bursts that were large enough to judge; `null` without a promise"""
    accepted_over_limit: int | None
    """messages accepted beyond the promised token bucket; `null` without a promise"""


def throttle(rows: Rows) -> Throttle | None:
    """How the bursts were answered; None when there was none."""
    bursts = rows.faults[rows.faults["code"] == rows.fault_kinds.number("burst")]
    if not len(bursts):
        return None
    outcome = rows.bursts["outcome"]
    rejected = outcome == Outcome.REJECTED
    throttled = rejected & np.isin(rows.bursts["code"], rows.contract.throttle_codes)
    over = _over_limit(rows, bursts[is_promised(rows)[bursts["session"]]])
    return Throttle(
        bursts=len(bursts),
        sent=len(rows.bursts),
        accepted=int(np.count_nonzero(outcome == Outcome.OK)),
        throttled=int(np.count_nonzero(throttled)),
        rejected_otherwise=int(np.count_nonzero(rejected & ~throttled)),
        closed=int(np.count_nonzero(outcome == Outcome.CLOSED)),
        unanswered=int(np.count_nonzero(outcome == Outcome.EXPIRED)),
        cut_silently=_cut_silently(rows, bursts),
        bursts_over_the_limit=over[0] if over else None,
        accepted_over_limit=over[1] if over else None,
    )


def is_promised(rows: Rows) -> Array:
    """For each session number: whether a throttle is promised for what it sends."""
    if rows.contract.throttle_per_s is None:
        return np.zeros(len(rows.posted), bool)
    return ~rows.posted | rows.contract.throttle_posts


def _cut_silently(rows: Rows, bursts: Array) -> int:
    """How many connections ended after a burst on them with neither an error nor a close frame that gives a cause."""
    throttled = np.isin(rows.bursts["code"], rows.contract.throttle_codes)
    told = rows.bursts[(rows.bursts["outcome"] == Outcome.REJECTED) & throttled]
    silent_so_far = connections(bursts) - connections(rows.drops) - connections(told)
    ends = rows.of(Kind.CLOSE)
    for_cause = (ends["peer"] == Closer.ENDPOINT) & np.isin(ends["code"], CLOSES_FOR_EXCESS)
    for_cause |= np.isin(codes_of(ends), rows.contract.throttle_codes)
    silent = ends[~np.isin(ends["peer"], (Closer.US, Closer.GARBLED)) & ~for_cause]
    return len(silent_so_far & connections(silent))


def _over_limit(rows: Rows, bursts: Array) -> tuple[int, int] | None:
    """How many bursts exceeded the limit, and how many messages too many were accepted; None without a promise."""
    per_s, size = rows.contract.throttle_per_s, rows.contract.throttle_burst
    if per_s is None or size is None:
        return None
    exceeded = over = 0
    for burst in bursts:
        own = rows.bursts[(rows.bursts["session"] == burst["session"]) & (rows.bursts["due"] == burst["due"])]
        if not len(own):
            continue
        first = int(own["sent"].min())
        last = max(int(own["arrived"].max()), int(own["sent"].max()))
        sent = rows.sent["sent"]
        window = rows.sent[(rows.sent["session"] == burst["session"]) & (sent >= first) & (sent <= last)]
        allowed = size + per_s * (last - first) / 1e9 + 1
        exceeded += len(own) > allowed
        over += max(0, int(int(np.count_nonzero(window["outcome"] == Outcome.OK)) - allowed))
    return exceeded, over


def may_be_empty(rows: Rows, ended: Array, chosen: Array) -> Array:
    """For each of the `chosen` CLOSE rows: whether the connection's token bucket may have been empty when it closed.

    Where no throttle is promised, nothing says that it was not.
    """
    per_s, size = rows.contract.throttle_per_s, rows.contract.throttle_burst
    empty = chosen.copy()
    if per_s is None or size is None or not chosen.any():
        return empty
    lenient, rate = max(1.0, size * LENIENT_BURST), per_s * LENIENT_RATE / 1e9
    asked = np.concatenate([rows.of(kind) for kind in TAKES_A_TOKEN])
    for n in np.flatnonzero(chosen & is_promised(rows)[ended["session"]]):
        end = ended[n]
        mine = (asked["session"] == end["session"]) & (asked["conn"] == end["conn"])
        sent = np.sort(asked["sent"][mine & (asked["sent"] > 0) & (asked["sent"] <= end["arrived"])])
        if not len(sent):
            empty[n] = False
            continue
        # The most that any stretch of requests took, less what came in meanwhile, is what the bucket must have held.
        left = np.arange(len(sent)) - (sent - sent[0]) * rate
        empty[n] = (left + 1 - np.minimum.accumulate(left)).max() > lenient
    return empty


def needlessly_throttled(rows: Rows, sessions: Array) -> list[int]:
    """The codes of these sessions' throttled messages for which even a lenient bucket had a token."""
    per_s, size = rows.contract.throttle_per_s, rows.contract.throttle_burst
    if per_s is None or size is None or not len(sessions):
        return []
    asked = np.concatenate([rows.of(kind) for kind in TAKES_A_TOKEN])
    asked = asked[(asked["sent"] > 0) & np.isin(asked["session"], sessions)]
    asked = asked[np.lexsort((asked["sent"], asked["session"]))]
    _, starts = np.unique(asked["session"], return_index=True)
    lenient, rate = max(1.0, size * LENIENT_BURST), per_s * LENIENT_RATE / 1e9
    return [
        code
        for one in np.split(asked, starts[1:])
        for code in _needlessly(one, lenient, rate, rows.contract.throttle_codes)
    ]


def _needlessly(asked: Array, size: float, rate: float, codes: tuple[int, ...]) -> list[int]:
    """The same for one session's requests in the order of sending, with a bucket of this size and rate per nanosecond.

    The endpoint took a request's token between its sending and its answer: a message is held against the least that
    the bucket can have had, every earlier token taken as late as its answer allows.
    """
    tokens, before, conn = size, 0, -1
    wrong: list[int] = []
    for row in asked:
        sent, taken = int(row["sent"]), max(int(row["sent"]), int(row["arrived"]))
        if int(row["conn"]) != conn:
            tokens, before, conn = size, sent, int(row["conn"])
        had = min(size, tokens + max(0, sent - before) * rate)
        tokens = max(0.0, min(size, tokens + max(0, taken - before) * rate) - 1)
        before = max(before, taken)
        throttled = row["kind"] == Kind.PUBLISH and row["outcome"] == Outcome.REJECTED and int(row["code"]) in codes
        if throttled and had >= 1:
            wrong.append(int(row["code"]))
    return wrong
