"""Which deliveries broke the promised order, and one example of each kind: for the section `ledger`.

The checks are in `order/`; this module gives them their rows and turns their results into counts. History is in no
order with what is live: only first copies of messages sent after the member had joined are judged.
"""

from typing import Literal, NamedTuple

import msgspec
import numpy as np

from .ledger import Material
from .order import Disorder, Heard, Inversion, Readings, late_of_causes, late_of_room, late_of_sender
from .rows import Array, Rows

Name = Literal["reordered", "out-of-total-order", "out-of-causal-order"]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    sender: int
    """session that sent it"""
    seq: int
    """number of the message among its sender's"""
    sent_s: float
    """when it was sent, since the run began"""


class HeardBy(msgspec.Struct, frozen=True, kw_only=True):
    """When one session had the two messages."""

    session: int
    """number of the session"""
    first_s: float
    """when `first` arrived, since the run began; for a session that sent it, when it was sent"""
    second_s: float
    """the same of `second`"""


class OrderExample(msgspec.Struct, frozen=True, kw_only=True):
    """Two messages that two sessions had in different orders."""

    finding: Name
    """the finding that it is an example of"""
    room: int
    """room of both messages"""
    first: Said
    """one message"""
    second: Said
    """the other one"""
    here: HeardBy
    """a session that had `first` before `second`: another receiver, or the session that sent `second`"""
    there: HeardBy
    """a receiver that heard `second` before `first`"""


class Ordering(NamedTuple):
    """For each delivery, whether it is late in each kind of order; None: that kind is not promised."""

    reordered: Array | None
    out_of_total_order: Array | None
    out_of_causal_order: Array | None
    examples: list[OrderExample]
    unjudged: int


def ordering(rows: Rows, books: Material) -> Ordering:
    """Judge the order that the contract promises."""
    promised = rows.contract.promised_order
    if promised == "none":
        return Ordering(None, None, None, [], 0)
    published, got = books.published, books.got
    sender, sent = (published[name].astype(np.int64) for name in ("session", "sent"))
    inside = np.flatnonzero(got.member >= 0)[books.first]
    inside = inside[~books.replayed[inside]]
    by_message = Heard(got.member[inside], got.message[inside], inside)
    found: dict[Name, Disorder] = {"reordered": late_of_sender(by_message, sender)}
    if promised != "sender":
        chosen = np.zeros(len(got.row), bool)
        chosen[inside] = True
        place = np.flatnonzero(chosen)
        heard = Heard(got.member[place], got.message[place], place)
        first_read, first_place = _first(got.message, got.row["read"], len(published), len(rows.shards))
        if promised == "room":
            first_heard = np.empty(len(published), np.int64)
            first_heard[np.lexsort((first_place, first_read))] = np.arange(len(published))
            found["out-of-total-order"] = late_of_room(heard, published["room"].astype(np.int64), first_heard)
        else:
            readings = Readings(got.row["session"], got.message, got.row["read"])
            found["out-of-causal-order"] = late_of_causes(heard, sender, sent, first_read, readings)
    return Ordering(
        _mask(got.row, found["reordered"]),
        _mask(got.row, found.get("out-of-total-order")),
        _mask(got.row, found.get("out-of-causal-order")),
        [_example(rows, books, name, one.example) for name, one in found.items() if one.example is not None],
        sum(one.unjudged for one in found.values()),
    )


def _first(message: Array, read: Array, messages: int, shards: int) -> tuple[Array, Array]:
    """When and where each message was first read; deliveries of one process are in the order of reading."""
    place = np.full(messages, len(message))
    place[message[::-1]] = np.arange(len(message) - 1, -1, -1)
    if shards > 1:
        first = np.full(messages, np.iinfo(np.int64).max)
        np.minimum.at(first, message, read)
        return first, place
    return np.append(read, np.iinfo(np.int64).max)[place], place


def _mask(row: Array, found: Disorder | None) -> Array | None:
    if found is None:
        return None
    late = np.zeros(len(row), bool)
    late[found.late] = True
    return late


def _example(rows: Rows, books: Material, name: Name, one: Inversion) -> OrderExample:
    first, second = books.published[one.first], books.published[one.second]

    def arrived(place: int, message: Array) -> float:
        return rows.since_start_s(int(books.got.row["arrived"][place] if place >= 0 else message["sent"]))

    def heard(places: tuple[int, int]) -> HeardBy:
        known = max(places)
        session = int(books.got.row["session"][known] if known >= 0 else first["session"])
        return HeardBy(session=session, first_s=arrived(places[0], first), second_s=arrived(places[1], second))

    return OrderExample(
        finding=name,
        room=int(first["room"]),
        first=_said(rows, first),
        second=_said(rows, second),
        here=heard(one.here),
        there=heard(one.there),
    )


def _said(rows: Rows, message: Array) -> Said:
    return Said(
        sender=int(message["session"]), seq=int(message["seq"]), sent_s=rows.since_start_s(int(message["sent"]))
    )
