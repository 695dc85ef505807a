"""Findings about deliveries."""

import numpy as np

from harness.record.row import NO_ROOM, Kind

from .. import words
from ..registry import NotJudged, Verdict, finding, found, named
from ..rows import Rows
from ..sections.ledger import Ledger


@finding(
    "lost",
    section="ledger",
    meaning="an owed delivery never arrived",
    sentence="{count} of {owed} owed deliveries never arrived ({share:.3%})",
    rests_on="absence",
)
def lost(rows: Rows, ledger: Ledger) -> Verdict:
    """Owed and not paid; nothing owed is not nothing lost."""
    books = ledger.all
    if not books.owed:
        return NotJudged(words.NOTHING_OWED, expected=_is_shared(rows))
    if books.unrecognised and not books.lost:
        return NotJudged(words.UNRECOGNISED_DELIVERIES.format(count=books.unrecognised), expected=True)
    receivers = named("session", (example.receiver for example in ledger.lost_examples))
    rooms = named("room", (example.room for example in ledger.lost_examples))
    return found(
        books.lost,
        books.owed - books.unrecognised,
        "deliveries owed",
        first_s=ledger.first_s.get("lost"),
        whom=f"for example {receivers} in {rooms}",
        owed=books.owed,
        share=books.lost / books.owed,
    )


@finding(
    "duplicated",
    section="ledger",
    meaning="a delivery arrived more than once",
    sentence="{count} deliveries arrived more than once",
)
def duplicated(ledger: Ledger) -> Verdict:
    """Extra copies."""
    return _delivered(ledger, ledger.all.duplicated, "duplicated")


@finding(
    "reordered",
    section="ledger",
    meaning="a delivery arrived after a later message of the same sender",
    sentence="{count} deliveries arrived after a later message of the same sender",
)
def reordered(ledger: Ledger) -> Verdict:
    """Out of order, where order is promised."""
    return _ordered(ledger, ledger.all.reordered, "reordered", words.NO_ORDER)


@finding(
    "out-of-total-order",
    section="ledger",
    meaning="receivers heard messages of a room in different orders; the count is of the fewest deliveries that must be"
    " left out for all to have the order that most heard",
    sentence="{count} deliveries were in another order than other receivers of the room had",
)
def out_of_total_order(ledger: Ledger) -> Verdict:
    """Different orders at two receivers, where one for all is promised."""
    return _ordered(ledger, ledger.all.out_of_total_order, "out-of-total-order", words.NO_TOTAL_ORDER)


@finding(
    "out-of-causal-order",
    section="ledger",
    meaning="a delivery arrived after an answer to it: a message whose sender had received it before",
    sentence="{count} deliveries arrived after an answer to them",
)
def out_of_causal_order(ledger: Ledger) -> Verdict:
    """After an answer, where causal order is promised."""
    return _ordered(ledger, ledger.all.out_of_causal_order, "out-of-causal-order", words.NO_CAUSAL_ORDER)


@finding(
    "leaked",
    section="ledger",
    meaning="a delivery reached a session without a right to it, or its frame named another room than the message's",
    sentence="{count} deliveries reached sessions without a right to them, or named a wrong room",
)
def leaked(ledger: Ledger) -> Verdict:
    """To a session that was not in the room."""
    return _delivered(ledger, ledger.all.leaked, "leaked")


@finding(
    "refused-but-delivered",
    section="ledger",
    meaning="a refused message was delivered",
    sentence="{count} deliveries of messages that had been refused",
)
def refused_but_delivered(ledger: Ledger) -> Verdict:
    """Refused to the sender, and delivered all the same."""
    return _delivered(ledger, ledger.all.refused_but_delivered, "refused_but_delivered")


@finding(
    "unknown-delivery",
    section="ledger",
    meaning="a message was delivered that nobody had sent",
    sentence="{count} deliveries of messages that nobody sent",
    rests_on="absence",
)
def unknown_delivery(ledger: Ledger) -> Verdict:
    """Made up by the endpoint."""
    return _delivered(ledger, ledger.unknown, "unknown")


def _ordered(ledger: Ledger, count: int | None, name: str, unpromised: str) -> Verdict:
    if count is None:
        return NotJudged(unpromised)
    if not ledger.deliveries:
        return NotJudged(words.NOTHING_DELIVERED)
    if not count and ledger.order_unjudged and name == "out-of-causal-order":
        return NotJudged(words.ORDER_UNJUDGED.format(count=ledger.order_unjudged))
    example = next((one for one in ledger.order_examples if one.finding == name), None)
    whom = "" if example is None else words.ORDER_EXAMPLE.format(example=example)
    return found(count, ledger.deliveries, "deliveries", first_s=ledger.first_s.get(name.replace("-", "_")), whom=whom)


def _delivered(ledger: Ledger, count: int, name: str) -> Verdict:
    if not ledger.deliveries and not count:
        return NotJudged(words.NOTHING_DELIVERED)
    return found(count, ledger.deliveries, "deliveries", first_s=ledger.first_s.get(name))


def _is_shared(rows: Rows) -> bool:
    """Whether messages were sent to rooms in which somebody was to hear them."""
    sent = rows.ordinary
    rooms, joined = sent[sent["room"] != NO_ROOM], rows.of(Kind.JOIN)
    if rows.contract.delivers_to_sender:
        return len(rooms) > 0
    in_room = np.unique(np.stack([joined["room"], joined["session"]]), axis=1)[0]
    several, members = np.unique(in_room, return_counts=True)
    return bool(np.isin(rooms["room"], several[members > 1]).any())
