"""Rejections: what should have been refused and was, was not, or was refused wrongly.

malformed  every probe must be rejected with a code the contract names (any, where it names none), or by a close of
           the endpoint's that says why
garbled    no frame that is not of the protocol may reach a client that did not send such a one
throttle   a burst may have accepted at most what a token bucket of the promised size lets through between the
           first sending and the last answer, one more for rounding, less what else was accepted meanwhile
silently   a burst may end its connection only by a close frame that says why (1008, 1013)
wrongly    an ordinary message that was throttled although even a bucket of half the promised size and four fifths
           of its rate would have let it through, whenever before its answer each earlier request was counted; or
           one rejected by any other code
"""

import msgspec
import numpy as np

from harness.record.row import Flag, Kind, Outcome

from ..occasion import Occasion, occasion
from ..probing import Malformed, malformed
from ..recognition import unrecognised_answers
from ..registry import section
from ..rows import Array, Rows, connections, message_keys
from ..throttling import Throttle, is_promised, needlessly_throttled, throttle

RENEWED = (401,)
"""A poll whose token has expired is refused once, and sent again with another."""
ANSWERED = (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING, Kind.FETCH)


class WronglyRejected(msgspec.Struct, frozen=True, kw_only=True):
    """Valid requests that were refused."""

    count: int
    """number of valid requests that were refused"""
    by_code: dict[str, int]
    """the same by code"""
    throttled_unjudged: int
    """throttled ones that no promise covers, so that they are not judged"""


class Rejections(msgspec.Struct, frozen=True, kw_only=True):
    """What was refused, rightly and wrongly."""

    malformed: Malformed | None
    """malformed payloads; `null` when none was sent"""
    throttle: Throttle | None
    """bursts; `null` when there was none"""
    wrongly_rejected: WronglyRejected
    """valid requests that were refused"""
    unanswered: int
    """valid requests without any answer in time"""
    unrecognised: int
    """valid requests whose answer may have come in a frame that was not recognised: not unanswered"""
    garbled: int
    """frames that are not of the protocol, at clients that had sent nothing malformed on that connection"""
    unanswered_at: Occasion | None
    """when the first unanswered request or malformed payload was sent, and whose they were; `null`: none"""
    garbled_at: Occasion | None
    """when the first of those frames arrived, and at which sessions; `null`: none"""


@section("rejections")
def rejections(rows: Rows) -> Rejections:
    """Malformed payloads, throttling, and what was refused wrongly."""
    expired, hidden, strays = unanswered(rows), unrecognised(rows), garbled(rows)
    requests = expired["kind"] != Kind.FETCH  # a poll has no number
    expired = expired[~(requests & np.isin(_keys(expired), _keys(hidden)))]
    lost_probes = rows.of(Kind.PROBE, Outcome.EXPIRED)
    return Rejections(
        malformed=malformed(rows),
        throttle=throttle(rows),
        wrongly_rejected=wrongly_rejected(rows),
        unanswered=len(expired),
        unrecognised=len(hidden),
        garbled=len(strays),
        unanswered_at=occasion(rows, np.concatenate([expired, lost_probes])),
        garbled_at=occasion(rows, strays),
    )


def wrongly_rejected(rows: Rows) -> WronglyRejected:
    """Valid requests that were refused, by code; throttled ones only where no bucket could be empty."""
    throttle_codes = rows.contract.throttle_codes
    refused = rows.of(Kind.PUBLISH, Outcome.REJECTED)
    throttled = np.isin(refused["code"], throttle_codes)
    joins = rows.of(Kind.JOIN, Outcome.REJECTED)
    codes = [*refused["code"][~throttled], *joins["code"][~np.isin(joins["code"], throttle_codes)]]
    for kind in (Kind.LEAVE, Kind.PING, Kind.FETCH):
        others = rows.of(kind, Outcome.REJECTED)["code"]
        codes += others[~np.isin(others, (*throttle_codes, *(RENEWED if kind is Kind.FETCH else ())))].tolist()
    judged = throttled & is_promised(rows)[refused["session"]]
    codes += needlessly_throttled(rows, np.unique(refused["session"][judged]))
    by_code: dict[str, int] = {}
    for code in codes:
        by_code[rows.code(code)] = by_code.get(rows.code(code), 0) + 1
    return WronglyRejected(
        count=len(codes), by_code=by_code, throttled_unjudged=int(np.count_nonzero(throttled & ~judged))
    )


def garbled(rows: Rows) -> Array:
    """Frames that are not of the protocol, at clients that had sent nothing malformed on that connection.

    An endpoint that hands a malformed payload on shows here; what its own sender gets may be an answer to it.
    """
    strays = rows.of(Kind.STRAY, Outcome.GARBLED)
    guilty = connections(rows.of(Kind.PROBE))
    at = zip(strays["session"].tolist(), strays["conn"].tolist(), strict=True)
    innocent: Array = strays[np.array([where not in guilty for where in at], bool)]
    return innocent


def _keys(requests: Array) -> Array:
    return message_keys(requests["session"], requests["seq"])


def unrecognised(rows: Rows) -> Array:
    """Valid requests without an answer that may have come in a frame that was not recognised."""
    asked = np.concatenate([rows.of(kind) for kind in (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING)])
    asked = asked[(asked["sent"] > 0) & (asked["flags"] & Flag.IMPLICIT == 0)]
    hidden: Array = asked[unrecognised_answers(rows, asked)]
    return hidden


def unanswered(rows: Rows) -> Array:
    """Valid requests that were not answered in time; a poller's leave is a poll, which has a row of its own."""
    expired = np.concatenate([rows.of(kind, Outcome.EXPIRED) for kind in ANSWERED])
    once: Array = expired[~((expired["kind"] == Kind.LEAVE) & rows.polled[expired["session"]])]
    return once
