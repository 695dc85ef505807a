"""Every delivery that was owed, and whether it was paid: for the section `ledger`, and for `open_run`.

All arrays of a class are in step: row i of one is row i of the other.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.record.row import NO_ROOM, Flag, Kind, Outcome

from . import owing
from .memberships import Memberships, membership_of, memberships
from .owing import Deliveries
from .rows import Array, Rows, find, message_keys

ROOM_BITS = 32


@dataclass(frozen=True)
class Owed:
    """Every delivery that was owed, and whether it was `paid`; `sent` in nanoseconds."""

    receiver: Array
    sender: Array
    seq: Array
    room: Array
    sent: Array
    paid: Array


class Owing(NamedTuple):
    """Every delivery that was owed: the membership, the message, and whether it arrived."""

    member: Array
    message: Array
    paid: Array


@dataclass(frozen=True)
class Material:
    """What the ledger is computed from.

    Args:
        members: every membership.
        published: the messages that were sent, by key.
        accepted: for each of them, whether it was accepted.
        got: the deliveries of them.
        first: among the deliveries to a member, the first arrival of each.
        replayed: which deliveries are history: of messages sent before the receiver's membership began.
        copies: which of the others are further copies, on the same connection or on another one of the session.
        owing: what was owed.
    """

    members: Memberships
    published: Array
    accepted: Array
    got: Deliveries
    first: Array
    replayed: Array
    copies: Array
    owing: Owing


def owed(books: Material) -> Owed:
    """Every delivery that was owed, one entry each."""
    message = books.published[books.owing.message]
    receiver = books.members.session[books.owing.member]
    return Owed(receiver, message["session"], message["seq"], message["room"], message["sent"], books.owing.paid)


def material(rows: Rows) -> Material:
    """Memberships, messages and deliveries, and what was owed."""
    members = memberships(rows)
    published = rows.sent[np.argsort(message_keys(rows.sent["session"], rows.sent["seq"]))]
    raw = rows.of(Kind.DELIVERY)
    at, known = find(message_keys(published["session"], published["seq"]), message_keys(raw["peer"], raw["seq"]))
    row, message = raw[known], at[known]
    got = Deliveries(membership_of(members, row, published[message]), message, row)
    accepted = _accepted(published, message)
    inside, size = got.member >= 0, max(1, len(published))
    unique, first = np.unique(got.member[inside] * size + got.message[inside], return_index=True)
    replayed = np.zeros(len(row), bool)
    replayed[inside] = published["sent"][got.message[inside]] < members.begin[got.member[inside]]
    copies = _copies(members, published, got, first) & ~replayed
    live = Deliveries(np.where(replayed, -1, got.member), message, row)
    member, owed_message = owing.owed(members, published, accepted, live, rows.contract.delivers_to_sender)
    _, paid = find(unique, member * size + owed_message)
    return Material(members, published, accepted, got, first, replayed, copies, Owing(member, owed_message, paid))


def live(rows: Rows) -> tuple[Array, Array]:
    """The live deliveries of ordinary messages, neither history nor copies, and the message of each."""
    books = rows.once(material)
    chosen = ~(books.replayed | books.copies)
    message = books.published[books.got.message[chosen]]
    ordinary = message["flags"] & Flag.BURST == 0
    return books.got.row[chosen][ordinary], message[ordinary]


def _copies(members: Memberships, published: Array, got: Deliveries, first: Array) -> Array:
    """Which deliveries are not the first of their message to their session; only members count."""
    inside = np.flatnonzero(got.member >= 0)
    copies = np.zeros(len(got.row), bool)
    copies[inside] = True
    copies[inside[first]] = False
    # On two connections: only where a session was in a room more than once.
    place = members.session << ROOM_BITS | members.room
    _, which, times = np.unique(place, return_inverse=True, return_counts=True)
    again = np.zeros(len(got.row), bool)
    again[inside] = (times[which] > 1)[got.member[inside]]
    # And where there are no rooms, and so no memberships.
    again |= (got.member < 0) & (published["room"][got.message] == NO_ROOM)
    some = np.flatnonzero(again)
    key = got.row["session"][some].astype(np.int64) * max(1, len(published)) + got.message[some]
    _, original = np.unique(key, return_index=True)
    copies[some] = True
    copies[some[original]] = False
    return copies


def _accepted(published: Array, delivered: Array) -> Array:
    """Which messages were accepted: acknowledged, or not answered but delivered to somebody (`delivered`: which).

    A message that an error without an id may have refused is owed to nobody.
    """
    reached = np.zeros(len(published), bool)
    reached[delivered] = True
    silent = np.isin(published["outcome"], (Outcome.EXPIRED, Outcome.CLOSED, Outcome.ABANDONED))
    silent &= published["flags"] & Flag.NAMELESS == 0
    accepted: Array = (published["outcome"] == Outcome.OK) | silent & reached
    return accepted
