"""Which requests of a run counted against which token bucket, by the contract's `throttle_scope`.

Accepted is a message with an answer that says so; without acks, one that was delivered. Everything else that was sent
may have cost a token, whatever it was: an endpoint may count joins, pings and malformed payloads, or only messages; the
bucket of a whole endpoint may also be charged for connections, logins, polls, and our looks at its list of connections.
What was throttled cost none. Only throttled messages are evidence: joins may have a limit of their own.
"""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from harness.record.row import Flag, Kind, Outcome

from .rows import Array, Rows, find, message_keys
from .token_bucket import Evidence, Spans

MESSAGES = (Kind.PUBLISH, Kind.PROBE)
"""What a session that posts sends by REST; its joins, leaves and polls are no posts."""
OVER_WEBSOCKET = (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PROBE, Kind.PING)
ANYHOW = (*OVER_WEBSOCKET, Kind.OPEN, Kind.LOGIN, Kind.FETCH, Kind.LOOK)
CONN_SHIFT = 33
"""A key holds a session and one more than a connection's number; 0 in place of it is a bucket of the whole session."""


@dataclass(frozen=True)
class Requests:
    """Everything that was sent and counts against some bucket, sorted by bucket and time of sending.

    Args:
        keys: the bucket of each request.
        sent, answered: seconds since the run began; an answer that never came is infinitely late.
        message: whether it is an ordinary message or one of a burst.
        accepted: whether it is a message that was certainly accepted.
        throttled: whether it is a message that was refused with one of the contract's `throttle_codes`.
    """

    keys: Array
    sent: Array
    answered: Array
    message: Array
    accepted: Array
    throttled: Array

    def __getitem__(self, chosen: Array) -> "Requests":
        """Some of them."""
        return Requests(*(getattr(self, each.name)[chosen] for each in fields(self)))

    @cached_property
    def starts(self) -> Array:
        """The index of each bucket's first request."""
        return np.flatnonzero(np.diff(self.keys, prepend=-1))

    @cached_property
    def bucket(self) -> Array:
        """The number of each request's bucket, from 0."""
        lengths = np.diff(self.starts, append=len(self.keys))
        return np.repeat(np.arange(len(self.starts)), lengths)

    def of_buckets(self, chosen: Array) -> "Requests":
        """Those of some buckets; for each bucket, whether it is chosen."""
        return self if chosen.all() else self[chosen[self.bucket]]

    @cached_property
    def spans(self) -> Spans:
        """All of them."""
        return Spans(self.bucket, self.sent, self.answered)

    @property
    def asked(self) -> Spans:
        """All messages, as if each had been accepted; by when, where no answer came, is when it was sent."""
        answered = np.where(np.isfinite(self.answered), self.answered, self.sent)
        return Spans(self.bucket, self.sent, answered).picked(self.message)

    def evidence(self, step: int = 1) -> Evidence:
        """What they prove about their buckets; `step` is that of Evidence.

        A connection's bucket is new and full; any other may have been used until the run began.
        """
        is_new = self.keys[self.starts] & (1 << CONN_SHIFT) - 1 > 0
        return Evidence(
            accepted=self.spans.picked(self.accepted),
            charged=self.spans.picked(~self.throttled),
            refused=Spans(*(each[::step] for each in self.spans.picked(self.throttled))),
            empty_at=np.where(is_new, -np.inf, 0.0),
            step=step,
        )


def is_throttled(rows: Rows, requests: Array) -> Array:
    """Which of these requests were refused with one of the contract's `throttle_codes`."""
    named: Array = np.isin(requests["code"], rows.contract.throttle_codes)
    throttled: Array = named & (requests["outcome"] == Outcome.REJECTED)
    return throttled


def is_promised(rows: Rows) -> Array:
    """For each session number: whether a throttle is promised for the messages that it sends."""
    if rows.contract.throttle_per_s is None:
        return np.zeros(len(rows.posted), bool)
    return _is_limited(rows)


def _is_limited(rows: Rows) -> Array:
    """For each session number: whether a throttle limits its messages: posts only where the contract says so."""
    limited: Array = ~rows.posted | rows.contract.throttle_posts
    return limited


def session_of(rows: Rows, key: np.int64) -> int | None:
    """The session of a bucket; None where all share one."""
    return None if rows.contract.throttle_scope == "endpoint" else int(key) >> CONN_SHIFT


def requests(rows: Rows) -> Requests:
    """The requests of all sessions with the bucket that each counts against."""
    kinds = ANYHOW if rows.contract.throttle_scope == "endpoint" else OVER_WEBSOCKET
    found = [_of(rows, kind) for kind in kinds]
    joined = Requests(*(np.concatenate([getattr(one, each.name) for one in found]) for each in fields(Requests)))
    return joined[np.lexsort((joined.sent, joined.keys))]


def _of(rows: Rows, kind: Kind) -> Requests:
    """The requests of one kind that count against a bucket."""
    asked = rows.of(kind)
    chosen = (asked["sent"] > 0) & (asked["flags"] & Flag.IMPLICIT == 0) & _counts(rows, kind)[asked["session"]]
    chosen &= _is_message(rows, kind, asked) | ~is_throttled(rows, asked)
    if not chosen.all():
        asked = asked[chosen]
    arrived = asked["arrived"] if kind is not Kind.PUBLISH else _accepted_at(rows, asked)
    answered, is_message = arrived > 0, _is_message(rows, kind, asked)
    return Requests(
        keys=_keys(rows, kind, asked),
        sent=(asked["sent"] - rows.start_ns) / 1e9,
        answered=np.where(answered, (np.maximum(arrived, asked["sent"]) - rows.start_ns) / 1e9, np.inf),
        message=is_message,
        accepted=is_message & answered & (asked["outcome"] == Outcome.OK),
        throttled=is_message & answered & is_throttled(rows, asked),
    )


def _is_message(rows: Rows, kind: Kind, asked: Array) -> Array:
    """Which of these are messages that a throttle limits."""
    if kind is not Kind.PUBLISH:
        return np.zeros(len(asked), bool)
    limited: Array = _is_limited(rows)[asked["session"]]
    return limited


def _counts(rows: Rows, kind: Kind) -> Array:
    """For each session number: whether what it asks of this kind counts against any bucket."""
    if rows.contract.throttle_scope == "endpoint":
        return np.ones(len(rows.posted), bool)
    counts: Array = _is_limited(rows) if kind in MESSAGES else ~rows.polled
    return counts


def _keys(rows: Rows, kind: Kind, asked: Array) -> Array:
    """The bucket of each request."""
    if rows.contract.throttle_scope == "endpoint":
        return np.zeros(len(asked), np.int64)
    session, conn = asked["session"].astype(np.int64), asked["conn"].astype(np.int64)
    whole = (kind in MESSAGES) & rows.posted[asked["session"]] | (rows.contract.throttle_scope == "session")
    keys: Array = session << CONN_SHIFT | np.where(whole, 0, conn + 1)
    return keys


def _accepted_at(rows: Rows, published: Array) -> Array:
    """When each message was answered; where there are no acks, when it first reached anybody; 0: never."""
    arrived: Array = published["arrived"]
    unacked = (published["outcome"] == Outcome.OK) & (arrived == 0)
    if not unacked.any():
        return arrived
    keys = message_keys(published["session"], published["seq"])
    order = np.argsort(keys)
    delivered = rows.of(Kind.DELIVERY)
    at, known = find(keys[order], message_keys(delivered["peer"], delivered["seq"]))
    first = np.full(len(published), np.iinfo(np.int64).max)
    np.minimum.at(first, order[at[known]], delivered["arrived"][known])
    return np.where(unacked & (first < np.iinfo(np.int64).max), first, arrived)
