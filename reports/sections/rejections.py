"""Rejections: what should have been refused and was, was not, or was refused wrongly.

malformed  every probe must be rejected with a code the contract names (any, where it names none), or by a close of
           the endpoint's that says why
garbled    no frame that is not of the protocol may reach a client that did not send such a one
throttle   any window of a bucket's messages, in a burst or not, may have as many accepted as the promised token bucket
           allows between the first sending and the last answer in it, and none throttled for which that bucket must
           have had a token; see `token_bucket.py`
silently   a burst may end its connection only by a close frame that says why (1008, 1013)
wrongly    a valid message or join that was refused with any code but the contract's `throttle_codes`
"""

from collections import Counter

import msgspec
import numpy as np

from harness.record.row import Flag, Kind, Outcome

from ..buckets import is_promised, is_throttled
from ..occasion import Occasion, occasion
from ..probing import Malformed, malformed
from ..recognition import unrecognised_answers
from ..registry import section
from ..rows import Array, Rows, connections
from ..throttle_limit import Limit, limit
from ..throttling import Throttle, throttle
from ..unanswered import Unanswered, unanswered
from ..unsent import Unsent, unsent
from .closes import ends

RENEWED = (401,)
"""A poll whose token has expired is refused once, and sent again with another."""


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
    limit: Limit | None
    """promised and measured throttle; `null` where none is promised and nothing was throttled"""
    unsent: Unsent
    """what the plan's chaos should have sent and did not"""
    wrongly_rejected: WronglyRejected
    """valid requests that were refused"""
    unanswered: int
    """valid requests that the endpoint failed to answer"""
    without_answer: Unanswered
    """the same, and requests that are not judged"""
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
    hidden, strays = unrecognised(rows), garbled(rows)
    without, silent = unanswered(rows, *ends(rows), hidden)
    lost_probes = rows.of(Kind.PROBE, Outcome.EXPIRED)
    return Rejections(
        malformed=malformed(rows),
        throttle=throttle(rows),
        limit=limit(rows),
        unsent=unsent(rows),
        wrongly_rejected=wrongly_rejected(rows),
        unanswered=without.count,
        without_answer=without,
        unrecognised=len(hidden),
        garbled=len(strays),
        unanswered_at=occasion(rows, np.concatenate([silent, lost_probes])),
        garbled_at=occasion(rows, strays),
    )


def wrongly_rejected(rows: Rows) -> WronglyRejected:
    """Valid requests that were refused, by code; the limit judges throttled ones."""
    published, joins = rows.of(Kind.PUBLISH, Outcome.REJECTED), rows.of(Kind.JOIN, Outcome.REJECTED)
    throttled = is_throttled(rows, published)
    codes = [*published["code"][~throttled].tolist(), *joins["code"][~is_throttled(rows, joins)].tolist()]
    for kind in (Kind.LEAVE, Kind.PING, Kind.FETCH):
        others = rows.of(kind, Outcome.REJECTED)
        renewed = np.isin(others["code"], RENEWED if kind is Kind.FETCH else ())
        codes += others["code"][~is_throttled(rows, others) & ~renewed].tolist()
    return WronglyRejected(
        count=len(codes),
        by_code={rows.code(code): count for code, count in Counter(codes).items()},
        throttled_unjudged=int(np.count_nonzero(throttled & ~is_promised(rows)[published["session"]])),
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


def unrecognised(rows: Rows) -> Array:
    """Valid requests without an answer that may have come in a frame that was not recognised."""
    asked = np.concatenate([rows.of(kind) for kind in (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING)])
    asked = asked[(asked["sent"] > 0) & (asked["flags"] & Flag.IMPLICIT == 0)]
    hidden: Array = asked[unrecognised_answers(rows, asked)]
    return hidden
