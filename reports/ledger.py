"""The delivery ledger: per message, who should have got it, who did, twice, out of order, or without right.

Rules (DESIGN decision 6): a message is *owed* to a member of its room when it was accepted and
    causal   it was sent after the member's join was acknowledged and had a second to settle before membership ended; or
    gap      the member got an earlier and a later message of the same sender in the same membership.
A membership ends when its leave is requested, its connection is dropped by us, or its connection ends.

It must not know how it is shown. All arrays are in step: row i of one is row i of the other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.record.row import NO_ROOM, Flag, Kind, Outcome

from .memberships import FOREVER, Memberships, latest_join, leave_after, membership_of, memberships, places
from .rows import Array, Rows, find, message_keys

SETTLE_NS = 1_000_000_000
EARLY_NS = 5_000_000_000
EXAMPLES = 20


@dataclass(frozen=True)
class Deliveries:
    """Every delivery of a published message: which membership (-1: none) and which message, in the order of reading."""

    member: Array
    message: Array
    row: Array


@dataclass(frozen=True)
class Owed:
    """Every delivery that was owed, and whether it was `paid`; `sent` in nanoseconds. All arrays are in step."""

    receiver: Array
    sender: Array
    seq: Array
    room: Array
    sent: Array
    paid: Array


@dataclass(frozen=True)
class _Books:
    """What the ledger is computed from; `first` are the first arrivals of each delivery among those `inside`."""

    members: Memberships
    attempted: Array
    published: Array
    accepted: Array
    got: Deliveries
    first: Array
    owed_member: Array
    owed_message: Array
    paid: Array


def owed(rows: Rows) -> Owed:
    """Every delivery that was owed, one entry each."""
    books = _books(rows)
    message = books.published[books.owed_message]
    return Owed(
        books.members.session[books.owed_member], message["session"], message["seq"], message["room"], message["sent"],
        books.paid,
    )  # fmt: skip


def _books(rows: Rows) -> _Books:
    members = memberships(rows)
    attempted = rows.of(Kind.PUBLISH)
    attempted = attempted[attempted["outcome"] != Outcome.ABANDONED]
    published = attempted[attempted["sent"] > 0]
    published = published[np.argsort(message_keys(published["session"], published["seq"]))]
    raw = rows.of(Kind.DELIVERY)
    at, known = find(message_keys(published["session"], published["seq"]), message_keys(raw["peer"], raw["seq"]))
    row, message = raw[known], at[known]
    got = Deliveries(membership_of(members, row, published[message]), message, row)

    accepted = published["outcome"] == Outcome.OK
    reached = np.zeros(len(published), bool)
    reached[message] = True
    silent = np.isin(published["outcome"], (Outcome.EXPIRED, Outcome.CLOSED))
    accepted |= silent & reached

    inside = got.member >= 0
    pairs = got.member[inside] * max(1, len(published)) + got.message[inside]
    unique, first = np.unique(pairs, return_index=True)
    to_sender = bool(rows.contract["delivers_to_sender"])
    owed_member, owed_message = _owed(members, published, accepted, got, to_sender)
    _, paid = find(unique, owed_member * max(1, len(published)) + owed_message)
    return _Books(members, attempted, published, accepted, got, first, owed_member, owed_message, paid)


def ledger(rows: Rows) -> dict[str, Any]:
    """Owed, paid, lost, duplicated, reordered, leaked and their like, by group, with examples of what was lost."""
    books = _books(rows)
    members, published, accepted, got = books.members, books.published, books.accepted, books.got
    owed_member, owed_message, paid, first = books.owed_member, books.owed_message, books.paid, books.first
    row, message, attempted = got.row, got.message, books.attempted
    lost, inside = ~paid, got.member >= 0

    raw = rows.of(Kind.DELIVERY)
    raw_keys = message_keys(raw["peer"], raw["seq"])
    _, known = find(message_keys(published["session"], published["seq"]), raw_keys)
    probes = rows.of(Kind.PROBE)
    probe_keys = np.unique(message_keys(probes["session"], probes["seq"]))
    _, probed = find(probe_keys, raw_keys)
    # A message that was still waiting to leave at its time-out has no `sent`, and may leave all the same.
    _, ours = find(np.unique(message_keys(attempted["session"], attempted["seq"])), raw_keys)

    struck = rows.faulted
    apart = struck[members.session[owed_member]] | struck[published["session"][owed_message]]
    extra = np.ones(np.count_nonzero(inside), bool)
    extra[first] = False
    reordered = _reordered(got, inside, first, published) if rows.contract["ordered"] else None
    leaked = _leaked(rows, published, got)
    refused = published["outcome"][message] == Outcome.REJECTED
    untouched = ~(struck[row["session"]] | struck[row["peer"]])

    def count(found: Array, group: str) -> int:
        chosen = {"all": found, "untouched": found & untouched, "faulted": found & ~untouched}[group]
        return int(np.count_nonzero(chosen))

    double = np.zeros(len(row), bool)
    double[np.flatnonzero(inside)[extra]] = True
    groups = {}
    for group, chosen in (("untouched", ~apart), ("faulted", apart), ("all", np.ones(len(paid), bool))):
        groups[group] = {
            "owed": int(np.count_nonzero(chosen)),
            "paid": int(np.count_nonzero(chosen & paid)),
            "lost": int(np.count_nonzero(chosen & lost)),
            "duplicated": count(double, group),
            "reordered": count(reordered, group) if reordered is not None else None,
            "leaked": count(leaked, group),
            "refused_but_delivered": count(refused, group),
        }
    return {
        **groups,
        "deliveries": len(raw),
        "messages_accepted": int(np.count_nonzero(accepted)),
        "memberships": len(members.session),
        "unknown": int(np.count_nonzero(~ours & ~probed)),
        "named": _named(row) if (published["room"] != NO_ROOM).any() else None,
        "malformed_delivered": len(np.unique(raw_keys[probed & ~known])),
        "missed_while_away": _missed(members, published, accepted, got),
        "settle_s": SETTLE_NS / 1e9,
        "lost_examples": _examples(rows, members, published, owed_member[lost], owed_message[lost]),
    }


def _owed(
    members: Memberships, published: Array, accepted: Array, got: Deliveries, to_sender: bool
) -> tuple[Array, Array]:
    """All (membership, message) that are owed by either rule, room by room."""
    low, high, groups = _spans(members, published, got)
    found_member, found_message = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    by_room = np.argsort(members.room, kind="stable")
    rooms, starts = np.unique(members.room[by_room], return_index=True)
    for room, inmates in zip(rooms, np.split(by_room, starts)[1:], strict=True):
        messages = np.flatnonzero((published["room"] == room) & accepted)
        messages = messages[np.argsort(published["sent"][messages], kind="stable")]
        sent = published["sent"][messages]
        begin = np.searchsorted(sent, members.begin[inmates] - EARLY_NS)
        count = np.maximum(0, np.searchsorted(sent, members.end[inmates], side="right") - begin)
        member = np.repeat(inmates, count)
        offset = np.arange(len(member)) - np.repeat(np.cumsum(count) - count, count)
        message = messages[np.repeat(begin, count) + offset]
        at = published["sent"][message]
        causal = (at >= members.begin[member]) & (at + SETTLE_NS <= members.end[member])
        group = member * groups + published["session"][message].astype(np.int64)
        spot, spans = find(low[0], group)
        seq = published["seq"][message]
        gap = spans & (low[1][spot] < seq) & (seq < high[spot]) if len(high) else np.zeros(len(seq), bool)
        owed = causal | gap
        if not to_sender:
            owed &= members.session[member] != published["session"][message]
        found_member.append(member[owed])
        found_message.append(message[owed])
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


def _reordered(got: Deliveries, inside: Array, first: Array, published: Array) -> Array:
    """Which deliveries came after a later message of the same sender; extra copies do not count."""
    where = np.flatnonzero(inside)[np.sort(first)]
    groups = int(published["session"].max(initial=0)) + 1
    code = got.member[where] * groups + published["session"][got.message[where]].astype(np.int64)
    order = np.argsort(code, kind="stable")
    _, dense = np.unique(code[order], return_inverse=True)
    lifted = (dense.astype(np.int64) << 40) + published["seq"][got.message[where]][order]
    behind = np.zeros(len(got.row), bool)
    behind[where[order]] = lifted < np.maximum.accumulate(lifted) if len(lifted) else False
    return behind


def _leaked(rows: Rows, published: Array, got: Deliveries) -> Array:
    """Which deliveries went to somebody who was not in the message's room, or had left it when it was sent.

    That is judged by the last join that had been asked for when it arrived: acknowledged or not, it may have worked.
    """
    tried = rows.of(Kind.JOIN)
    tried = tried[tried["outcome"] != Outcome.REJECTED]
    place = places(tried["session"], tried["conn"], tried["room"])
    order = np.lexsort((tried["sent"], place))
    place, asked = place[order], tried["sent"][order]
    left = leave_after(rows.of(Kind.LEAVE, Outcome.OK), "arrived", place, asked)
    room = published["room"][got.message]
    named = got.row["room"]
    join = latest_join(place, asked, places(got.row["session"], got.row["conn"], room), got.row["arrived"])
    leaked: Array = join < 0
    leaked[~leaked] = published["sent"][got.message][~leaked] > left[join[~leaked]]
    leaked &= ~((room == NO_ROOM) & (got.row["session"] == got.row["peer"]))  # an echo, where there are no rooms
    leaked |= (named != NO_ROOM) & (named != room)
    if (named != NO_ROOM).any():  # otherwise the endpoint has names of its own for rooms
        leaked |= got.row["flags"] & Flag.ELSEWHERE > 0
    return leaked


def _named(row: Array) -> dict[str, int]:
    """How many deliveries named a room of the plan's, another one, or none."""
    planned = int(np.count_nonzero(row["room"] != NO_ROOM))
    others = int(np.count_nonzero(row["flags"] & Flag.ELSEWHERE))
    return {"planned": planned, "others": others, "none": len(row) - planned - others}


def in_words(report: dict[str, Any]) -> str:
    """What could not be judged since the deliveries do not name the plan's rooms; "" when they do, or need not."""
    named, plan = report["ledger"]["named"], report["manifest"]["plan"]
    if named is None or named["planned"]:
        return ""
    if named["others"]:
        first = next((line["text"] for line in report["evidence"] if line.get("kind") == "elsewhere"), "")
        said = f' (the first: "{first}")' if first else ""
        return (
            f"deliveries name rooms that the plan has not{said}, so whether they name the right one is not judged; "
            "see load.room_name"
        )
    path = ((plan["endpoint"].get("json") or {}).get("delivery") or {}).get("room")
    if named["none"] and path and plan["endpoint"].get("dialect") == "json":
        return (
            f'no delivery has a room at endpoint.json.delivery.room = "{path}", so whether it is the right one is not '
            "judged"
        )
    return ""


def _missed(members: Memberships, published: Array, accepted: Array, got: Deliveries) -> int:
    """Messages to a room while one of its people was between two connections and that never reached him: not losses.

    What was sent before he was back and came all the same, since the join's ack was slower, was not missed.
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
        who, room = (int(members.session[n]), int(members.room[n])), int(members.room[n])
        if who in last and room in sent:
            begin, end = np.searchsorted(times[room], [last[who], members.begin[n]])
            _, came = find(reached, who[0] * size + sent[room][begin:end])
            missed += int(np.count_nonzero(~came))
        if members.left[n] == FOREVER:
            last[who] = int(members.end[n])
        else:
            last.pop(who, None)  # it left of its own will
    return missed


def _examples(rows: Rows, members: Memberships, published: Array, member: Array, message: Array) -> list[Any]:
    return [
        {
            "receiver": int(members.session[m]),
            "sender": int(published["session"][p]),
            "seq": int(published["seq"][p]),
            "room": int(published["room"][p]),
            "sent_s": round((int(published["sent"][p]) - rows.start_ns) / 1e9, 3),
        }
        for m, p in zip(member[:EXAMPLES], message[:EXAMPLES], strict=True)
    ]
