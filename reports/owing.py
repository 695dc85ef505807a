"""What is owed, and which deliveries are wrong. For the section `ledger`, whose rules (decision 6) are:

A message is *owed* to a member of its room when it was accepted and
    causal   it was sent after the member's join was acknowledged and had a second to settle before membership ended; or
    gap      the member got an earlier and a later message of the same sender in the same membership.
A membership ends when its leave is requested, its connection is dropped by us, or its connection ends.

All arrays are in step: row i of one is row i of the other.
"""

from dataclasses import dataclass

import numpy as np

from harness.record.row import NO_ROOM, Flag, Kind, Outcome
from harness.units import SECOND

from .memberships import FOREVER, Memberships, latest_join, leave_after, places
from .rows import Array, Rows, find

SETTLE_NS = SECOND
EARLY_NS = 5_000_000_000
LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Deliveries:
    """Every delivery of a published message: which membership (-1: none) and which message, in the order of reading."""

    member: Array
    message: Array
    row: Array


def owed(
    members: Memberships, published: Array, accepted: Array, got: Deliveries, to_sender: bool
) -> tuple[Array, Array]:
    """All (membership, message) that are owed by either rule, room by room."""
    low, high, groups = _spans(members, published, got)
    found_member, found_message = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    by_room = np.argsort(members.room, kind="stable")
    rooms, starts = np.unique(members.room[by_room], return_index=True)
    for room, here in zip(rooms, np.split(by_room, starts)[1:], strict=True):
        messages = np.flatnonzero((published["room"] == room) & accepted)
        messages = messages[np.argsort(published["sent"][messages], kind="stable")]
        sent = published["sent"][messages]
        begin = np.searchsorted(sent, members.begin[here] - EARLY_NS)
        count = np.maximum(0, np.searchsorted(sent, members.end[here], side="right") - begin)
        member = np.repeat(here, count)
        offset = np.arange(len(member)) - np.repeat(np.cumsum(count) - count, count)
        message = messages[np.repeat(begin, count) + offset]
        at = published["sent"][message]
        causal = (at >= members.begin[member]) & (at + SETTLE_NS <= members.end[member])
        group = member * groups + published["session"][message].astype(np.int64)
        spot, spans = find(low[0], group)
        seq = published["seq"][message]
        gap = spans & (low[1][spot] < seq) & (seq < high[spot]) if len(high) else np.zeros(len(seq), bool)
        due = causal | gap
        if not to_sender:
            due &= members.session[member] != published["session"][message]
        found_member.append(member[due])
        found_message.append(message[due])
    return np.concatenate(found_member), np.concatenate(found_message)


def _spans(members: Memberships, published: Array, got: Deliveries) -> tuple[tuple[Array, Array], Array, int]:
    """For each (membership, sender) that was heard: the first and the last sequence number."""
    groups = int(published["session"].max(initial=0)) + 1
    inside = got.member >= 0
    code = got.member[inside] * groups + published["session"][got.message[inside]].astype(np.int64)
    seq = published["seq"][got.message[inside]]
    order = np.argsort(code, kind="stable")
    heard, starts = np.unique(code[order], return_index=True)
    if not len(heard):
        return (heard, np.empty(0, np.int64)), np.empty(0, np.int64), groups
    lowest = np.minimum.reduceat(seq[order], starts)
    highest = np.maximum.reduceat(seq[order], starts)
    return (heard, lowest), highest, groups


def spread(room: Array, time_ns: Array, session: Array, most: int) -> Array:
    """The indexes of up to `most` entries that differ in room, then in time, then in session as far as possible.

    The earliest entry is among them; they are in the order of time.
    """
    order = np.argsort(time_ns, kind="stable")
    times = time_ns[order]
    bins = np.zeros(len(order), np.int64)
    if len(order) > 1 and times[-1] > times[0]:
        bins = (times - times[0]) * (most - 1) // (times[-1] - times[0])
    groups = [np.unique(group, return_inverse=True)[1] for group in (room[order], bins, session[order])]
    score = np.zeros(len(order), np.int64)
    chosen: list[int] = []
    for _ in range(min(most, len(order))):
        at = int(np.argmin(score))
        chosen.append(at)
        for weight, group in zip((10_000, 100, 1), groups, strict=True):
            score[group == group[at]] += weight
        score[at] = LARGEST // 2  # once is enough
    return order[sorted(chosen)]


def leaked(rows: Rows, published: Array, got: Deliveries) -> Array:
    """Which deliveries went to a session that was not in the message's room, or had left it when it was sent.

    That is judged by the last join that had been asked for when it arrived: acknowledged or not, it may have worked.
    Only a leave that was asked for takes the right away: of one for which the protocol has no request the endpoint
    knows nothing.
    """
    tried = rows.of(Kind.JOIN)
    tried = tried[tried["outcome"] != Outcome.REJECTED]
    place = places(tried["session"], tried["conn"], tried["room"])
    order = np.lexsort((tried["sent"], place))
    place, asked = place[order], tried["sent"][order]
    leaves = rows.of(Kind.LEAVE, Outcome.OK)
    left = leave_after(leaves[leaves["flags"] & Flag.IMPLICIT == 0], "arrived", place, asked)
    room = published["room"][got.message]
    named = got.row["room"]
    join = latest_join(place, asked, places(got.row["session"], got.row["conn"], room), got.row["arrived"])
    wrong: Array = join < 0
    wrong[~wrong] = published["sent"][got.message][~wrong] > left[join[~wrong]]
    wrong &= ~((room == NO_ROOM) & (got.row["session"] == got.row["peer"]))  # an echo, where there are no rooms
    wrong |= (named != NO_ROOM) & (named != room)
    if (named != NO_ROOM).any():  # otherwise the endpoint has names of its own for rooms
        wrong |= got.row["flags"] & Flag.ELSEWHERE > 0
    return wrong


def missed_while_away(members: Memberships, published: Array, accepted: Array, got: Deliveries) -> int:
    """Messages to a room that never reached a member that was between two connections: not losses.

    A message that was sent before the member was back and arrived all the same, ahead of the join's ack, counts as
    received.
    """
    messages = np.flatnonzero(accepted)
    messages = messages[np.lexsort((published["sent"][messages], published["room"][messages]))]
    rooms, first = np.unique(published["room"][messages], return_index=True)
    sent = dict(zip(rooms.tolist(), np.split(messages, first)[1:], strict=True))
    times = {room: published["sent"][found] for room, found in sent.items()}
    size = max(1, len(published))
    reached = np.unique(got.row["session"].astype(np.int64) * size + got.message)
    missed = 0
    last: dict[tuple[int, int], int] = {}
    for n in np.argsort(members.begin, kind="stable"):
        which, room = (int(members.session[n]), int(members.room[n])), int(members.room[n])
        if which in last and room in sent:
            begin, end = np.searchsorted(times[room], [last[which], members.begin[n]])
            _, came = find(reached, which[0] * size + sent[room][begin:end])
            missed += int(np.count_nonzero(~came))
        if members.left[n] == FOREVER:
            last[which] = int(members.end[n])
        else:
            last.pop(which, None)  # it left on purpose
    return missed
