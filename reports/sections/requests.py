"""The section `requests`: what became of every request, by action and way of talking.

Bursts and malformed payloads are no ordinary requests: the section `rejections` counts them.
"""

import msgspec
import numpy as np

from harness.record.row import Flag, Kind, Outcome

from ..registry import section
from ..rows import Array, Rows
from ..ways import ways_of

ACTIONS = (Kind.LOGIN, Kind.OPEN, Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING, Kind.FETCH)


class Requests(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the requests of one action, over one way of talking."""

    due: int
    """requests that were due; the ones below add up to it"""
    ok: int
    """accepted"""
    refused: int
    """refused with an error"""
    closed: int
    """not answered before their connection ended"""
    unanswered: int
    """not answered in time"""
    garbled: int
    """answered with something that is not of the protocol"""
    unknown: int
    """given up by Squall before an answer had to come"""
    not_sent: int
    """never sent, because the session was not ready"""
    refused_share: float | None
    """share of the sent ones that were refused; `null`: none was sent"""

    @property
    def sent(self) -> int:
        """How many were sent."""
        return self.due - self.not_sent

    @property
    def answered(self) -> int:
        """How many were answered, whatever the answer."""
        return self.ok + self.refused + self.garbled

    @property
    def judged(self) -> int:
        """How many were answered, or could have been in time."""
        return self.answered + self.unanswered


def ordinary(rows: Rows, kind: Kind) -> Array:
    """The requests of an action that were really made, without bursts and those that we sent and took back."""
    found = rows.of(kind)
    taken_back = (found["outcome"] == Outcome.ABANDONED) & (found["sent"] > 0)
    made: Array = found[(found["flags"] & (Flag.BURST | Flag.IMPLICIT) == 0) & ~taken_back]
    return made


@section("requests")
def requests(rows: Rows) -> dict[str, dict[str, Requests]]:
    """The counts by action and way; neither is listed without any request."""
    counted: dict[str, dict[str, Requests]] = {}
    for kind in ACTIONS:
        for way, found in ways_of(rows, kind, ordinary(rows, kind)):
            if len(found):
                counted.setdefault(kind.name.lower(), {})[way] = _counted(found)
    return counted


def _counted(found: Array) -> Requests:
    counts = np.bincount(found["outcome"], minlength=len(Outcome)).tolist()
    unknown = int(np.count_nonzero((found["outcome"] == Outcome.ABANDONED) & (found["sent"] > 0)))
    due, not_sent, refused = len(found), counts[Outcome.ABANDONED] - unknown, counts[Outcome.REJECTED]
    return Requests(
        due=due,
        ok=counts[Outcome.OK],
        refused=refused,
        closed=counts[Outcome.CLOSED],
        unanswered=counts[Outcome.EXPIRED],
        garbled=counts[Outcome.GARBLED],
        unknown=unknown,
        not_sent=not_sent,
        refused_share=refused / (due - not_sent) if due > not_sent else None,
    )
