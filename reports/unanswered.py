"""Requests without an answer: which of them the endpoint has failed to answer. For the section `rejections`.

unanswered     the answer time-out passed; or a post's HTTP connection ended instead
cut off        the endpoint ended the connection instead, which is a finding of its own (`unexpected-close`); where no
               request of the run was ever answered, these are unanswered, too, however expected the close was
unattributed   the time-out passed, or the connection ended, and an error without an id had come that may be the answer
unknown        we ended the connection, stopped listening before the time-out, or could not read because of a fault

What is left explains itself: a fault took the connection, or a close was expected.
"""

import msgspec
import numpy as np

from harness.record.row import OUR_ERRNOS, Closer, Flag, Kind, Outcome
from harness.units import SECOND

from .rows import Array, Rows, connection_keys, connections, find, message_keys
from .ways import ASKED, by_way

SMALLEST_CLOSE_CODE = 1000
"""A post whose HTTP connection ended has an errno or 0 for a code; one cut off by its session's end a close code."""


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """Valid requests without an answer."""

    count: int
    """requests that the endpoint failed to answer"""
    connections: int
    """connections that these were sent on"""
    by_request: dict[str, int]
    """the same by action and way, for example `join (ws)`"""
    cut_off: int
    """requests whose connection the endpoint ended unexpectedly instead of answering"""
    unattributed: int
    """requests that an error without an id may have answered: not judged"""
    unknown: int
    """requests that Squall stopped waiting for, or that a slow reader could not read the answer of: not judged"""


def unanswered(rows: Rows, ended: Array, unexpected: Array, hidden: Array) -> tuple[Unanswered, Array]:
    """Which valid requests were not answered, and which of those are not judged.

    Args:
        rows: the run.
        ended: the CLOSE rows of connections that nothing of ours explains.
        unexpected: which of these the contract does not explain either.
        hidden: the requests whose answers may have come in frames that were not recognised.

    Returns:
        The counts, and the rows of the unanswered requests.
    """
    asked = np.concatenate([rows.of(kind) for kind in ASKED])
    # A poller's leave is a poll, which has a row of its own.
    asked = asked[(asked["kind"] != Kind.LEAVE) | ~rows.polled[asked["session"]]]
    outcome, maybe = asked["outcome"], asked["flags"] & Flag.NAMELESS > 0
    expired, closed = outcome == Outcome.EXPIRED, (outcome == Outcome.CLOSED) & (asked["sent"] > 0)
    kept = expired & _kept_from_reading(rows, asked)
    cut_off = closed & ~maybe & _cut_by(ended[unexpected], asked)
    silent = (expired & ~kept | closed & _lost_posts(rows, asked)) & ~maybe
    if not _any_answer(asked):
        silent |= closed & ~maybe & _cut_by(ended, asked)
    given_up = (outcome == Outcome.ABANDONED) & (asked["sent"] > 0) & (asked["kind"] != Kind.FETCH)
    numbered = asked["kind"] != Kind.FETCH  # a poll has no number
    silent &= ~(numbered & np.isin(_request_keys(asked), _request_keys(hidden)))
    found = asked[silent]
    counts = Unanswered(
        count=len(found),
        connections=len(connections(found)),
        by_request=by_way(rows, ASKED, found),
        cut_off=int(np.count_nonzero(cut_off)),
        unattributed=int(np.count_nonzero(maybe & (expired | closed))),
        unknown=int(np.count_nonzero(given_up | kept | closed & _cut_by_us(rows, asked))),
    )
    return counts, found


def _request_keys(found: Array) -> Array:
    return message_keys(found["session"], found["seq"])


def _any_answer(asked: Array) -> bool:
    """Whether the endpoint has answered any of these requests at all."""
    answered = np.isin(asked["outcome"], (Outcome.OK, Outcome.REJECTED)) & (asked["arrived"] > 0)
    return bool((answered & (asked["flags"] & Flag.IMPLICIT == 0)).any())


def _cut_by(ends: Array, asked: Array) -> Array:
    """Which requests had been sent on one of these connections before it ended; what left later had to fail."""
    ends = ends[~np.isin(ends["code"], list(OUR_ERRNOS))]
    order = np.argsort(connection_keys(ends))
    at, known = find(connection_keys(ends)[order], connection_keys(asked))
    cut = known.copy()
    cut[known] = asked["sent"][known] <= ends["arrived"][order][at[known]]
    return cut


def _lost_posts(rows: Rows, asked: Array) -> Array:
    """Of requests whose connection ended first: which are posts whose HTTP connection did, and not their session's."""
    posts = (asked["kind"] == Kind.PUBLISH) & rows.posted[asked["session"]]
    code = asked["code"]
    lost: Array = posts & (code >= 0) & (code < SMALLEST_CLOSE_CODE) & ~np.isin(code, list(OUR_ERRNOS))
    return lost


def _cut_by_us(rows: Rows, asked: Array) -> Array:
    """Of requests whose connection ended first: which were on one that we ended, though no fault did."""
    ended = rows.of(Kind.CLOSE)
    ours = ended[(ended["peer"] == Closer.US) & ~np.isin(connection_keys(ended), connection_keys(rows.drops))]
    found: Array = np.isin(connection_keys(asked), connection_keys(ours))
    return found


def _kept_from_reading(rows: Rows, asked: Array) -> Array:
    """Which requests a fault may have kept us from reading the answers to."""
    number = rows.fault_kinds.number("slow-reader")
    faults = rows.faults[rows.faults["code"] == number]
    kept = np.zeros(len(asked), bool)
    if not len(faults):
        return kept
    timeout_ns = round(rows.manifest.plan.endpoint.answer_timeout_s * SECOND)
    for fault, until in zip(faults, rows.lifted_ns(faults), strict=True):
        begun = (asked["sent"] + timeout_ns >= fault["sent"]) & (asked["sent"] <= until)
        kept |= (connection_keys(asked) == connection_keys(fault)) & begun
    return kept
