"""Every delivery that was owed, and whether it was paid: for the section `ledger`, and for `open_run`.

All arrays of a class are in step: row i of one is row i of the other.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.record.row import Kind, Outcome

from . import owing
from .memberships import Memberships, membership_of, memberships
from .owing import Deliveries
from .rows import Array, Rows, find, message_keys


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
        owing: what was owed.
    """

    members: Memberships
    published: Array
    accepted: Array
    got: Deliveries
    first: Array
    owing: Owing


def owed(rows: Rows) -> Owed:
    """Every delivery that was owed, one entry each."""
    books = material(rows)
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
    member, owed_message = owing.owed(members, published, accepted, got, rows.contract.delivers_to_sender)
    _, paid = find(unique, member * size + owed_message)
    return Material(members, published, accepted, got, first, Owing(member, owed_message, paid))


def _accepted(published: Array, delivered: Array) -> Array:
    """Which messages were accepted: acknowledged, or not answered but delivered to somebody (`delivered`: which)."""
    reached = np.zeros(len(published), bool)
    reached[delivered] = True
    silent = np.isin(published["outcome"], (Outcome.EXPIRED, Outcome.CLOSED))
    accepted: Array = (published["outcome"] == Outcome.OK) | silent & reached
    return accepted
