"""What deliveries contain: the text that was sent, and its sender's name.

Every delivery whose text or name can be read says in its row what was found (`Content` in `harness/record/row.py`).
Here is decided whether that can be believed. A text is judged where the plan or the dialect says where it stands, or,
where the place was guessed, if anything there was like a text that was sent. A name of this run says whose it is; any
other name is its sender's if more than half of the sender's deliveries, on one connection, have it.
"""

from typing import NamedTuple

import msgspec
import numpy as np

from harness.record.row import Content, Flag

from ..ledger import material
from ..registry import section
from ..rows import Array, Rows

NAME_BITS = 28
MOST_RECEIVERS = 0.9
"""If so large a share of wrong names is the receiver's own, the plan reads the wrong field."""


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of deliveries."""

    compared: int
    """deliveries whose text was compared with the one that was sent"""
    altered: int | None
    """deliveries with another text, or none; `null`: it is not known where the text stands"""
    missing: int
    """those of them without any text"""
    own: int
    """deliveries of messages whose text the scenario made itself: not compared"""
    at: str
    """`endpoint.json.delivery.text`; empty if the plan does not give it"""
    first_s: float | None
    """when the first altered one arrived, since the run began; `null`: none"""


class NamedWrong(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery that names another sender."""

    receiver: int
    """session that got it"""
    sender: int
    """session that sent the message"""
    seq: int
    """number of the message among its sender's"""
    named: int | None
    """session that was named; `null`: the name is none of this run's"""


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The senders that deliveries name."""

    compared: int
    """deliveries whose sender's name was judged"""
    wrong: int | None
    """deliveries that name another sender; `null`: they cannot be judged"""
    receivers: int
    """deliveries that name their receiver, who is not the sender"""
    unclear: int
    """deliveries with a name, of senders without a name that most of their deliveries have"""
    first_s: float | None
    """when the first wrong one arrived, since the run began; `null`: none"""
    example: NamedWrong | None
    """the first delivery with a wrong name; `null`: none"""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What deliveries contain."""

    texts: Texts
    """the text that was sent, or another one"""
    names: Names
    """the sender's name, or another one"""


class Borne(NamedTuple):
    """Deliveries of published messages, each with its message and what it contains."""

    row: Array
    message: Array
    content: Array


@section("contents")
def contents(rows: Rows) -> Contents:
    """Which deliveries have the text and sender of their message."""
    books = rows.once(material)
    borne = Borne(books.got.row, books.published[books.got.message], books.got.row["code"])
    return Contents(texts=_texts(rows, borne), names=_names(rows, borne))


def _texts(rows: Rows, borne: Borne) -> Texts:
    own = borne.message["flags"] & Flag.OWN_TEXT > 0
    text = np.where(own, 0, borne.content & Content.TEXT)
    compared = text & Content.COMPARED > 0
    absent = text == Content.COMPARED | Content.ALTERED | Content.UNLIKE
    wrong = text > Content.COMPARED
    like = compared & (text & Content.UNLIKE == 0)
    json = rows.manifest.plan.endpoint.json
    at = json.delivery.text or "" if json is not None and json.delivery is not None else ""
    is_told = json is None or bool(at)
    known = like.any() or (is_told and bool((compared & ~absent).any()))
    return Texts(
        compared=int(np.count_nonzero(compared)),
        altered=int(np.count_nonzero(wrong)) if known else None,
        missing=int(np.count_nonzero(absent)),
        own=int(np.count_nonzero(own)),
        at=at,
        first_s=_first(rows, borne, wrong) if known else None,
    )


def _names(rows: Rows, borne: Borne) -> Names:
    name = borne.content >> Content.NAME_SHIFT
    ours, foreign = name >= Content.SESSION, (name > 0) & (name < Content.SESSION)
    named = name - Content.SESSION
    wrong = ours & (named != borne.row["peer"])
    receivers = int(np.count_nonzero(wrong & (named == borne.row["session"])))
    judged, others = _by_majority(borne, name, foreign)
    misread = receivers > MOST_RECEIVERS * max(1, int(np.count_nonzero(wrong))) and bool(wrong.any())
    wrong |= others
    compared = int(np.count_nonzero(ours | judged))
    known = compared > 0 and not misread
    return Names(
        compared=compared,
        wrong=int(np.count_nonzero(wrong)) if known else None,
        receivers=receivers,
        unclear=int(np.count_nonzero(foreign & ~judged)),
        first_s=_first(rows, borne, wrong) if known else None,
        example=_example(borne, wrong, name) if known and wrong.any() else None,
    )


def _by_majority(borne: Borne, name: Array, foreign: Array) -> tuple[Array, Array]:
    """Of deliveries with names that are not ours: which can be judged, and which name another sender than most."""
    judged, wrong = np.zeros(len(name), bool), np.zeros(len(name), bool)
    where = np.flatnonzero(foreign)
    sender = borne.row["peer"][where]
    if len(np.unique(name[where])) < 2 and len(np.unique(sender)) > 1:
        return judged, wrong  # one name for all: nobody could pass for another
    _, whose = np.unique(sender.astype(np.int64) << 32 | borne.message["conn"][where], return_inverse=True)
    pairs, which, count = np.unique(whose << NAME_BITS | name[where], return_inverse=True, return_counts=True)
    group, total = pairs >> NAME_BITS, np.bincount(whose)
    usual = np.full(len(total), -1)
    most = 2 * count > total[group]
    usual[group[most]] = np.flatnonzero(most)
    judged[where] = usual[whose] >= 0
    wrong[where] = judged[where] & (usual[whose] != which)
    return judged, wrong


def _first(rows: Rows, borne: Borne, wrong: Array) -> float | None:
    return rows.since_start_s(int(borne.row["arrived"][wrong].min())) if wrong.any() else None


def _example(borne: Borne, wrong: Array, name: Array) -> NamedWrong:
    at = int(np.flatnonzero(wrong)[0])
    row, number = borne.row[at], int(name[at])
    return NamedWrong(
        receiver=int(row["session"]),
        sender=int(row["peer"]),
        seq=int(row["seq"]),
        named=number - Content.SESSION if number >= Content.SESSION else None,
    )
