"""Which losses and missing answers may have come in frames that were not recognised. For `ledger` and `rejections`.

By name    an unrecognised frame at the receiver names the message. Certain, unless such frames come along with what is
           recognised, too (receipts, typing notices): then they say nothing about the rest.
By count   frames that name no message of the run came instead. They explain the deliveries of a room, or of a sender's
           own copies, of which hardly any was recognised, if there were enough of them and other receivers did not get
           as many. Where most were recognised, they must come in the very seconds in which deliveries are missing, as
           many more than elsewhere, and not in step with the recognised ones.

A server that loses messages and also sends presence or ticks is one that loses messages.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from harness.record.row import Flag, Kind, Outcome, SignalKind
from harness.units import SECOND

from .ledger import Material
from .rows import Array, Rows, find, message_keys

HARDLY = 0.05
"""Of a room whose recognised share is no larger, nearly all deliveries are missing."""
ENOUGH = 0.5
"""Frames that explain less than this share of what is missing do not explain it."""
MORE_THAN_ENOUGH = 1 / ENOUGH
"""More frames for each missing delivery than this are not the missing deliveries, but come at the same times."""
LATEST_NS = 10 * SECOND
"""How late after the last missing delivery was sent a frame may still have been it."""
QUIET_NS = SECOND
"""From when on after the last missing delivery was sent frames are taken for what comes without any load."""
DELAYS_S = (0.0, 0.5, 1.0, 2.0)
"""How much later than its sending a missing delivery may have come, when seconds are compared."""
RECEIVERS = 500
"""How many receivers are compared second by second at most."""
CERTAIN = 3.0
"""Standard errors between what was found and chance."""


class Counts(NamedTuple):
    """Unrecognised frames that name no message of the run: who got how many, and when."""

    session: Array
    time_ns: Array
    frames: Array


def unrecognised_deliveries(rows: Rows, books: Material) -> Array:
    """For each delivery that was owed: whether it is missing and may have come unrecognised."""
    owing, size = books.owing, max(1, len(books.published))
    missing = ~owing.paid
    found = np.zeros(len(missing), bool)
    named = rows.of(Kind.NAMED)
    counts = _counts(rows, (SignalKind.DELIVERY, SignalKind.OTHER, SignalKind.GARBLED))
    if not missing.any() or not (len(named) or len(counts.session)):
        return found
    receiver, message = books.members.session[owing.member], books.published[owing.message]
    own = receiver == message["session"]
    at, known = find(message_keys(books.published["session"], books.published["seq"]), _keys(named))
    hit = np.isin(receiver * size + owing.message, named["session"][known].astype(np.int64) * size + at[known])
    for group in (own, ~own):
        found |= _tells(hit, missing, owing.paid, group)
    if not len(counts.session):
        return found
    for scope in _scopes(message["room"], own, owing.paid):
        rest = missing & ~found & scope
        if rest.any() and _enough(rows, counts, receiver[rest], message["sent"][rest], receiver[~missing]):
            found |= rest
    rest = missing & ~found
    if rest.any() and _comes_instead(counts, receiver, message["sent"], rest, owing.paid):
        found |= rest
    return found


def _scopes(room: Array, own: Array, paid: Array) -> Iterator[Array]:
    """The whole run, senders' own copies, the others, and each room, where hardly any delivery was recognised."""
    for scope in (np.ones(len(paid), bool), own, ~own):
        if np.count_nonzero(paid & scope) <= HARDLY * np.count_nonzero(scope):
            yield scope
    rooms, at = np.unique(room, return_inverse=True)
    for n in np.flatnonzero(np.bincount(at, paid) <= HARDLY * np.bincount(at)):
        yield room == rooms[n]


def unrecognised_answers(rows: Rows, asked: Array) -> Array:
    """For each of these requests: whether its answer is missing and may have come unrecognised.

    Args:
        rows: the run.
        asked: rows of requests of any kind and outcome that were sent.
    """
    missing, answered = asked["outcome"] == Outcome.EXPIRED, asked["outcome"] == Outcome.OK
    named = rows.of(Kind.NAMED)
    hit = np.isin(_keys(asked, "session"), _keys(named[named["session"] == named["peer"]]))
    found = np.zeros(len(asked), bool)
    kinds = [SignalKind.ACK, SignalKind.PONG, SignalKind.ERROR, SignalKind.OTHER, SignalKind.GARBLED]
    if rows.manifest.plan.endpoint.confirms_by_delivery:
        kinds.append(SignalKind.DELIVERY)
    counts = _counts(rows, kinds)
    for kind in np.unique(asked["kind"]):
        group = asked["kind"] == kind
        found |= _tells(hit, missing, answered, group)
        rest = missing & group & ~found
        hardly_any = np.count_nonzero(answered & group) <= HARDLY * np.count_nonzero(group)
        spared = asked["session"][~missing]
        if rest.any() and hardly_any and _enough(rows, counts, asked["session"][rest], asked["sent"][rest], spared):
            found |= rest
    return found


def _keys(found: Array, sender: str = "peer") -> Array:
    """One number for the message of each row."""
    return message_keys(found[sender], found["seq"])


def _tells(hit: Array, missing: Array, recognised: Array, group: Array) -> Array:
    """Which missing ones of a group were named by unrecognised frames, unless recognised ones are just as often."""
    absent, known = missing & group, recognised & group
    found: Array = hit & absent
    usual = int(np.count_nonzero(hit & known)) / max(1, int(np.count_nonzero(known)))
    if np.count_nonzero(found) <= 2 * usual * np.count_nonzero(absent):
        found = np.zeros(len(hit), bool)
    return found


def _counts(rows: Rows, kinds: Sequence[SignalKind]) -> Counts:
    """The unrecognised frames of these kinds that name no message of the run."""
    counted = rows.of(Kind.UNRECOGNISED)
    counted = counted[np.isin(counted["code"], kinds)]
    stray = rows.of(Kind.STRAY)
    stray = stray[np.isin(stray["code"], kinds) & (stray["flags"] & (Flag.NAMED | Flag.MADE_UP) == 0)]
    return Counts(
        np.concatenate([counted["session"], stray["session"]]).astype(np.int64),
        np.concatenate([counted["arrived"], stray["arrived"]]),
        np.concatenate([counted["seq"], np.ones(len(stray), np.int64)]),
    )


def _enough(rows: Rows, counts: Counts, receiver: Array, sent: Array, others: Array) -> bool:
    """Whether the receivers of what is missing got that many frames more than is usual for this endpoint.

    Usual is what `others` got, to whom something was recognised and who miss nothing; without them, what came before
    and after the load (of both the less: frames that greet, and deliveries that come late, are in one of them only).
    """
    begin, end = int(sent.min()), int(sent.max()) + LATEST_NS
    during = (counts.time_ns >= begin) & (counts.time_ns <= end)
    size = int(max(receiver.max(initial=0), counts.session.max(initial=0), others.max(initial=0))) + 1
    frames = np.bincount(counts.session[during], counts.frames[during], size)
    lacks = np.bincount(receiver, minlength=size)
    spared = np.setdiff1d(others, receiver)
    if len(spared):
        usual = float(frames[spared].mean())
    else:
        quiet = ((rows.start_ns, begin), (int(sent.max()) + QUIET_NS, rows.last_ns))
        rate = min(_per_second(counts, lacks[counts.session] > 0, *span) for span in quiet)
        usual = rate / int(np.count_nonzero(lacks)) * (min(end, rows.last_ns) - begin) / SECOND
    explained = np.minimum(lacks, np.maximum(0.0, frames - usual)).sum()
    return bool(explained >= ENOUGH * len(receiver))


def _per_second(counts: Counts, chosen: Array, begin: int, end: int) -> float:
    """How many of the chosen frames came in each whole second of a span of time; 0 where it is too short to tell."""
    first, last = begin // SECOND + 1, end // SECOND
    if last <= first:
        return 0.0
    second = counts.time_ns // SECOND
    return float(counts.frames[chosen & (second >= first) & (second < last)].sum()) / (last - first)


def _comes_instead(counts: Counts, receiver: Array, sent: Array, missing: Array, paid: Array) -> bool:
    """Whether more frames came in the seconds in which deliveries are missing, as many more as are missing.

    Frames a second are taken as a constant, plus so many for each recognised and so many for each missing delivery: if
    the frames are the missing ones, the last number exceeds the one before by about 1. Frames that only come and go
    with the load, as those of another run against the same endpoint do, give any number.
    """
    chosen = np.unique(receiver[missing])[:RECEIVERS]
    begin = int(sent.min())
    seconds = int((max(int(sent.max()), int(counts.time_ns.max())) - begin) // SECOND) + 4
    frames = _cells(counts.session, counts.time_ns - begin, chosen, seconds, counts.frames)
    for delay_s in DELAYS_S:
        later = sent - begin + round(delay_s * SECOND)
        lost = _cells(receiver[missing], later[missing], chosen, seconds)
        came = _cells(receiver[paid], later[paid], chosen, seconds)
        excess, error = _excess(frames, lost, came)
        if ENOUGH <= excess <= MORE_THAN_ENOUGH and excess > CERTAIN * error:
            return True
    return False


def _cells(session: Array, since_ns: Array, chosen: Array, seconds: int, weights: Array | None = None) -> Array:
    """How many there are of each chosen session in each second, one after the other."""
    at = np.searchsorted(chosen, session)
    inside = (since_ns >= 0) & (at < len(chosen))
    inside[inside] = chosen[at[inside]] == session[inside]
    cell = at[inside] * seconds + np.minimum(since_ns[inside] // SECOND, seconds - 1)
    found: Array = np.bincount(cell, None if weights is None else weights[inside], len(chosen) * seconds)
    return found.astype(np.float64)


def _excess(frames: Array, lost: Array, came: Array) -> tuple[float, float]:
    """By least squares: frames for each missing delivery beyond those for each recognised one, and its error."""
    causes = np.stack([np.ones(len(frames)), lost, came], axis=1)
    squares = causes.T @ causes
    if len(frames) < 8 or np.linalg.cond(squares) > 1e8:
        return 0.0, 0.0
    inverse = np.linalg.inv(squares)
    factors = inverse @ causes.T @ frames
    rest = frames - causes @ factors
    contrast = np.array([0.0, 1.0, -1.0])
    error = np.sqrt(float(rest @ rest) / (len(frames) - 3) * float(contrast @ inverse @ contrast))
    return float(factors[1] - factors[2]), float(error)
