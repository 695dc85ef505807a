"""The delivery ledger: per message, who should have got it, and what was lost, duplicated, reordered or leaked.

The rules are in `owing.py`. All arrays are in step: row i of one is row i of the other.
"""

from typing import Literal, NamedTuple

import msgspec
import numpy as np

from harness.record.row import NO_ROOM, Flag, Kind, Outcome

from ..ledger import Owing, material
from ..memberships import Memberships
from ..ordering import OrderExample, ordering
from ..owing import SETTLE_NS, leaked, missed_while_away, spread
from ..recognition import unrecognised_deliveries
from ..registry import section
from ..rows import Array, Rows, find, message_keys

EXAMPLES = 20


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The deliveries of one group of sessions."""

    owed: int
    """deliveries that the endpoint had to make"""
    paid: int
    """owed deliveries that arrived"""
    lost: int
    """owed deliveries that never arrived"""
    unrecognised: int
    """owed deliveries that may have come in frames that were not recognised: neither paid nor lost"""
    duplicated: int
    """further copies of a message to one session, over all of its connections; history is none"""
    reordered: int | None
    """deliveries after a later message of the same sender; `null` if no order is promised"""
    out_of_total_order: int | None
    """fewest deliveries to leave out for all receivers of a room to have one order; `null` if not promised"""
    out_of_causal_order: int | None
    """deliveries after an answer to them; `null` if not promised"""
    leaked: int
    """deliveries to a session that was not in the room, or had left it, or whose frame named another room"""
    refused_but_delivered: int
    """deliveries of messages that had been refused"""


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Which rooms the deliveries named."""

    planned: int
    """deliveries that named a room of the plan"""
    others: int
    """deliveries that named another room"""
    none: int
    """deliveries that named no room"""


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """One lost delivery."""

    receiver: int
    """session that should have got it"""
    sender: int
    """session that sent the message"""
    seq: int
    """number of the message among its sender's"""
    room: int
    """room of the message"""
    sent_s: float
    """when it was sent, since the run began"""


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """Who should have got which message, and what became of it."""

    unaffected: Books
    """deliveries between unaffected sessions"""
    affected: Books
    """deliveries whose sender or receiver is affected"""
    all: Books
    """all deliveries"""
    deliveries: int
    """number of deliveries that arrived"""
    replayed: int
    """deliveries of messages sent before their receiver's join was acknowledged (history): in no latency figure"""
    messages_accepted: int
    """number of messages that were accepted"""
    memberships: int
    """number of memberships"""
    unknown: int
    """deliveries of messages that nobody sent"""
    named: Named | None
    """which rooms the deliveries named; `null` where there are no rooms. Where none is planned, names are not judged"""
    malformed_delivered: int
    """malformed payloads that were delivered to anybody"""
    missed_while_away: int
    """messages sent while their receiver was between two connections, and that never reached it: not losses"""
    settle_s: float
    """time before the end of a membership in which messages are not owed"""
    lost_examples: list[Lost]
    """up to 20 lost deliveries, spread over rooms, time and sessions; the earliest among them"""
    order: Literal["none", "sender", "room", "causal"]
    """the order that the contract promises"""
    order_examples: list[OrderExample]
    """for each kind of broken order, two messages that two sessions had in different orders"""
    order_unjudged: int
    """deliveries that may have come after an answer, of which too many were found to compare them all"""
    first_s: dict[str, float]
    """when the first lost message was sent, and the first delivery of the other kinds of wrong arrived"""


class Wrong(NamedTuple):
    """For each delivery, whether it is wrong in this way."""

    duplicated: Array
    reordered: Array | None
    out_of_total_order: Array | None
    out_of_causal_order: Array | None
    leaked: Array
    refused_but_delivered: Array


@section("ledger")
def ledger(rows: Rows) -> Ledger:
    """Owed, paid, lost, duplicated, reordered and leaked deliveries by group, with examples of lost ones."""
    books = rows.once(material)
    members, published, got, owing = books.members, books.published, books.got, books.owing
    order = ordering(rows, books)
    wrong = Wrong(
        duplicated=books.copies,
        reordered=order.reordered,
        out_of_total_order=order.out_of_total_order,
        out_of_causal_order=order.out_of_causal_order,
        leaked=leaked(rows, published, got),
        refused_but_delivered=_refused(published)[got.message],
    )
    raw = rows.of(Kind.DELIVERY)
    raw_keys = message_keys(raw["peer"], raw["seq"])
    _, known = find(message_keys(published["session"], published["seq"]), raw_keys)
    unrecognised = unrecognised_deliveries(rows, books)
    lost = ~owing.paid & ~unrecognised
    examples = _examples(rows, members, published, owing.member[lost], owing.message[lost])
    probes = rows.of(Kind.PROBE)
    _, probed = find(np.unique(message_keys(probes["session"], probes["seq"])), raw_keys)
    return Ledger(
        **_groups(rows, members, published, owing, unrecognised, got.row, wrong),
        deliveries=len(raw),
        replayed=int(np.count_nonzero(books.replayed)),
        messages_accepted=int(np.count_nonzero(books.accepted)),
        memberships=len(members.session),
        unknown=int(np.count_nonzero(~_ours(rows, raw_keys) & ~probed)) + _made_up(rows),
        named=_named(got.row) if (published["room"] != NO_ROOM).any() else None,
        malformed_delivered=len(np.unique(raw_keys[probed & ~known])),
        missed_while_away=missed_while_away(members, published, books.accepted, got),
        settle_s=SETTLE_NS / 1e9,
        lost_examples=examples,
        order=rows.contract.promised_order,
        order_examples=order.examples,
        order_unjudged=order.unjudged,
        first_s=({"lost": examples[0].sent_s} if examples else {}) | _first(rows, got.row, wrong),
    )


def _refused(published: Array) -> Array:
    """Which messages were refused for certain: an error that named no message may have meant another one."""
    refused: Array = (published["outcome"] == Outcome.REJECTED) & (published["flags"] & Flag.NAMELESS == 0)
    return refused


def _ours(rows: Rows, keys: Array) -> Array:
    """Which of these are keys of messages that we sent.

    A message that was still waiting to leave at its time-out has no `sent`, and may leave all the same.
    """
    published = rows.of(Kind.PUBLISH)
    attempted = published[(published["outcome"] != Outcome.ABANDONED) | (published["sent"] > 0)]
    _, ours = find(np.unique(message_keys(attempted["session"], attempted["seq"])), keys)
    return ours


def _made_up(rows: Rows) -> int:
    """Deliveries whose id looks like one of the run's, of a session or number that the run does not have."""
    return int(np.count_nonzero(rows.of(Kind.STRAY)["flags"] & Flag.MADE_UP))


def _groups(
    rows: Rows, members: Memberships, published: Array, owing: Owing, unrecognised: Array, row: Array, wrong: Wrong
) -> dict[str, Books]:
    """The books of each group; `unrecognised` is in step with `owing`, `row` are the deliveries of `wrong`."""
    affected = rows.affected
    owed_by = affected[members.session[owing.member]] | affected[published["session"][owing.message]]
    delivered_by = affected[row["session"]] | affected[row["peer"]]

    def books(chosen: Array, delivered: Array) -> Books:
        return Books(
            owed=int(np.count_nonzero(chosen)),
            paid=int(np.count_nonzero(chosen & owing.paid)),
            lost=int(np.count_nonzero(chosen & ~owing.paid & ~unrecognised)),
            unrecognised=int(np.count_nonzero(chosen & unrecognised)),
            duplicated=int(np.count_nonzero(wrong.duplicated & delivered)),
            reordered=_late(wrong.reordered, delivered),
            out_of_total_order=_late(wrong.out_of_total_order, delivered),
            out_of_causal_order=_late(wrong.out_of_causal_order, delivered),
            leaked=int(np.count_nonzero(wrong.leaked & delivered)),
            refused_but_delivered=int(np.count_nonzero(wrong.refused_but_delivered & delivered)),
        )

    return {
        "unaffected": books(~owed_by, ~delivered_by),
        "affected": books(owed_by, delivered_by),
        "all": books(np.ones(len(owed_by), bool), np.ones(len(row), bool)),
    }


def _late(late: Array | None, delivered: Array) -> int | None:
    return None if late is None else int(np.count_nonzero(late & delivered))


def _named(row: Array) -> Named:
    planned = int(np.count_nonzero(row["room"] != NO_ROOM))
    others = int(np.count_nonzero(row["flags"] & Flag.ELSEWHERE))
    return Named(planned=planned, others=others, none=len(row) - planned - others)


def _first(rows: Rows, row: Array, wrong: Wrong) -> dict[str, float]:
    """When the first delivery of each wrong kind arrived, since the run began."""
    return {
        name: rows.since_start_s(row["arrived"][those].min())
        for name, those in wrong._asdict().items()
        if those is not None and those.any()
    }


def _examples(rows: Rows, members: Memberships, published: Array, member: Array, message: Array) -> list[Lost]:
    """Lost deliveries that are spread over rooms, time and sessions."""
    lost = published[message]
    receiver = members.session[member]
    return [
        Lost(
            receiver=int(receiver[n]),
            sender=int(lost["session"][n]),
            seq=int(lost["seq"][n]),
            room=int(lost["room"][n]),
            sent_s=rows.since_start_s(lost["sent"][n]),
        )
        for n in spread(lost["room"], lost["sent"], receiver, EXAMPLES)
    ]
