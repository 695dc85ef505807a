"""How bursts were answered. For the section `rejections`; `throttle_limit.py` judges them."""

import msgspec
import numpy as np

from harness.record.row import Closer, Kind, Outcome

from .buckets import is_promised, is_throttled
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


def throttle(rows: Rows) -> Throttle | None:
    """How the bursts were answered; None when there was none."""
    bursts = rows.faults[rows.faults["code"] == rows.fault_kinds.number("burst")]
    if not len(bursts):
        return None
    outcome = rows.bursts["outcome"]
    rejected = outcome == Outcome.REJECTED
    throttled = is_throttled(rows, rows.bursts)
    return Throttle(
        bursts=len(bursts),
        sent=len(rows.bursts),
        accepted=int(np.count_nonzero(outcome == Outcome.OK)),
        throttled=int(np.count_nonzero(throttled)),
        rejected_otherwise=int(np.count_nonzero(rejected & ~throttled)),
        closed=int(np.count_nonzero(outcome == Outcome.CLOSED)),
        unanswered=int(np.count_nonzero(outcome == Outcome.EXPIRED)),
        cut_silently=_cut_silently(rows, bursts),
    )


def _cut_silently(rows: Rows, bursts: Array) -> int:
    """How many connections ended after a burst on them with neither an error nor a close frame that gives a cause."""
    told = rows.bursts[is_throttled(rows, rows.bursts)]
    silent_so_far = connections(bursts) - connections(rows.drops) - connections(told)
    ends = rows.of(Kind.CLOSE)
    for_cause = (ends["peer"] == Closer.ENDPOINT) & np.isin(ends["code"], CLOSES_FOR_EXCESS)
    for_cause |= np.isin(codes_of(ends), rows.contract.throttle_codes)
    silent = ends[~np.isin(ends["peer"], (Closer.US, Closer.GARBLED)) & ~for_cause]
    return len(silent_so_far & connections(silent))


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
