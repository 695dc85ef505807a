"""Memberships: who was in which room from when to when, and which of them a delivery belongs to.

For the ledger. A membership ends when its leave is requested, its connection is dropped
by us, or its connection ends; of a session that polls, with the last poll that was answered, since it never asked for
more. The same room may be entered and left many times on one connection, so a place (session,
connection, room) has a row of memberships, one after the other, and time decides between them.
All arrays are in step.
"""

from dataclasses import dataclass

import numpy as np

from harness.record.row import NO_ROOM, Kind, Outcome

from .rows import Array, Rows, find

FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Memberships:
    """One entry each: who, on which connection, in which room, from when to when; `left` is the leave's ack."""

    session: Array
    conn: Array
    room: Array
    begin: Array
    end: Array
    left: Array


def memberships(rows: Rows) -> Memberships:
    """Every membership that was acknowledged; the same room may be entered and left many times on one connection."""
    joined = rows.of(Kind.JOIN, Outcome.OK)
    joined = joined[joined["sent"] > 0]
    place = places(joined["session"], joined["conn"], joined["room"])
    leaves = rows.of(Kind.LEAVE)
    ended = _connection_ends(rows, joined["session"], joined["conn"])
    asked = leave_after(leaves[leaves["sent"] > 0], "sent", place, joined["sent"])
    left = leave_after(leaves[leaves["outcome"] == Outcome.OK], "arrived", place, joined["sent"])
    end = np.minimum(ended, asked)
    polled = rows.polled[joined["session"]]
    if polled.any():
        end[polled] = _last_asked(rows, place[polled], joined["arrived"][polled], end[polled])
    return Memberships(
        joined["session"].astype(np.int64), joined["conn"].astype(np.int64), joined["room"].astype(np.int64),
        joined["arrived"], end, left,
    )  # fmt: skip


def _last_asked(rows: Rows, place: Array, begin: Array, end: Array) -> Array:
    """When the last poll that brought an answer was sent in memberships that poll; what was sent later is not owed."""
    polls = rows.of(Kind.FETCH, Outcome.OK)
    poll_place = places(polls["session"], polls["conn"], polls["room"])
    order = np.lexsort((polls["sent"], poll_place))
    after, _ = from_on(poll_place[order], polls["sent"][order], place, end + 1)
    last = np.maximum(after - 1, 0)
    if not len(polls):
        return begin
    asked = polls["sent"][order][last]
    return np.where((after > 0) & (poll_place[order][last] == place) & (asked >= begin), asked, begin)


def _connection_ends(rows: Rows, session: Array, conn: Array) -> Array:
    """When each of these connections was dropped by us or ended, or else the end of the run."""
    drops = rows.drops
    closed = rows.of(Kind.CLOSE)
    begun = np.where(closed["sent"] > 0, closed["sent"], closed["arrived"])
    keys = np.concatenate([_lines(drops["session"], drops["conn"]), _lines(closed["session"], closed["conn"])])
    times = np.concatenate([drops["sent"], begun])
    order = np.lexsort((times, keys))
    known, first = np.unique(keys[order], return_index=True)
    at, found = find(known, _lines(session, conn))
    ends = np.full(len(session), rows.last_ns, np.int64)
    ends[found] = times[order][first[at[found]]]
    return ends


def leave_after(leaves: Array, column: str, place: Array, sent: Array) -> Array:
    """For joins at these places and times: `column` of the first leave from then on, or the next join there."""
    leave_place = places(leaves["session"], leaves["conn"], leaves["room"])
    order = np.lexsort((leaves["sent"], leave_place))
    spot, found = from_on(leave_place[order], leaves["sent"][order], place, sent)
    joins = np.lexsort((sent, place))
    following, again = from_on(place[joins], sent[joins], place, sent + 1)
    until = np.full(len(place), FOREVER)
    until[again] = sent[joins][following[again]]
    times = until.copy()
    found[found] = leaves["sent"][order][spot[found]] < until[found]
    times[found] = np.minimum(leaves[column][order][spot[found]], until[found])
    return times


def from_on(keys: Array, times: Array, wanted: Array, since: Array) -> tuple[Array, Array]:
    """In entries sorted by key and time: where the first of a wanted key from a time on stands, and whether it is.

    Where it is not, the place is that at which it would stand: right after the last earlier one of its key.
    """
    _, key_rank = np.unique(np.concatenate([keys, wanted]), return_inverse=True)
    moments, time_rank = np.unique(np.concatenate([times, since]), return_inverse=True)
    both = key_rank.astype(np.int64) * (len(moments) + 1) + time_rank
    spot = np.searchsorted(both[: len(keys)], both[len(keys) :])
    found = spot < len(keys)
    found[found] = keys[spot[found]] == wanted[found]
    return spot, found


def _lines(session: Array, conn: Array) -> Array:
    """One number for each (session, connection)."""
    lines: Array = (session.astype(np.int64) << 20) | conn.astype(np.int64)
    return lines


def places(session: Array, conn: Array, room: Array) -> Array:
    """One number for each (session, connection, room); all three are small; -1 where there is no room."""
    found: Array = (_lines(session, conn) << 20) | room.astype(np.int64)
    return np.where(room == NO_ROOM, -1, found)


def membership_of(members: Memberships, row: Array, message: Array) -> Array:
    """To which membership each delivery belongs: the first that was not yet left when the message was sent."""
    place = places(members.session, members.conn, members.room)
    order = np.lexsort((members.begin, place))
    known, first, count = np.unique(place[order], return_index=True, return_counts=True)
    mine = places(row["session"], row["conn"], message["room"])
    at, found = find(known, mine)
    member = np.full(len(row), -1)
    member[found] = order[first[at[found]]]
    several = np.flatnonzero(found)[count[at[found]] > 1]  # seldom any, and the search costs two sorts
    if len(several):
        at = at[several]
        spot, _ = from_on(place[order], members.left[order], mine[several], message["sent"][several])
        member[several] = order[np.minimum(spot, first[at] + count[at] - 1)]
    return member


def latest_join(place: Array, sent: Array, mine: Array, arrived: Array) -> Array:
    """Of joins sorted by place and time: the last at each of these places that had been sent by then; -1 for none."""
    known, first, count = np.unique(place, return_index=True, return_counts=True)
    at, found = find(known, mine)
    latest = np.full(len(mine), -1)
    latest[found] = first[at[found]]
    several = np.flatnonzero(found)[count[at[found]] > 1]
    if len(several):
        spot, _ = from_on(place, sent, mine[several], arrived[several] + 1)
        latest[several] = np.maximum(spot - 1, first[at[several]])
    latest[found] = np.where(sent[latest[found]] <= arrived[found], latest[found], -1)
    return latest
