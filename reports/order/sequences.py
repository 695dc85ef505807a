"""Sequences: what each membership heard, in the order of its connection; and the order of one sender's messages.

Sequences are never compared by time, only by who heard what before what.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..rows import Array

CHUNK_BITS, LEAST_CHUNK_BITS = 16, 12


@dataclass(frozen=True)
class Heard:
    """First copies of live messages.

    Args:
        member: the membership of each.
        message: which message, as an index.
        place: its position among all deliveries; in one sequence a later delivery has a larger one.
    """

    member: Array
    message: Array
    place: Array

    def of(self, chosen: Array) -> "Heard":
        """Some of them."""
        return Heard(self.member[chosen], self.message[chosen], self.place[chosen])


class Inversion(NamedTuple):
    """Two messages that two receivers heard, or one heard and the other answered, in different orders.

    Args:
        first, second: the messages.
        here: the places of the deliveries of `first` and `second` to the receiver that heard `first` first; -1 where
            that is the session which sent the message.
        there: the places of the deliveries to the other one.
    """

    first: int
    second: int
    here: tuple[int, int]
    there: tuple[int, int]


class Disorder(NamedTuple):
    """What was found: the places of the late deliveries, one example, and how many deliveries were not judged."""

    late: Array
    example: Inversion | None = None
    unjudged: int = 0


NOTHING = Disorder(np.empty(0, np.int64))


def late_of_sender(heard: Heard, sender: Array) -> Disorder:
    """The deliveries that came after a later message of the same sender.

    Args:
        heard: sorted by member, then by message.
        sender: the sender of each message; messages are sorted by sender, then by number.
    """
    member, message, place = heard.member, heard.message, heard.place
    down = np.flatnonzero(place[1:] < place[:-1])
    down = down[member[down] == member[down + 1]]
    if not (sender[message[down]] == sender[message[down + 1]]).any():
        return NOTHING
    who = sender[message]
    changes = np.zeros(len(who), np.int64)
    changes[1:] = (member[1:] != member[:-1]) | (who[1:] != who[:-1])
    lifted = np.cumsum(changes)  # each (member, sender) above all earlier ones
    lifted *= int(place.max()) + 1
    lifted += place
    late = lifted > np.minimum.accumulate(lifted[::-1])[::-1]
    one = int(np.argmax(late))
    later = one + 1 + int(np.argmax(place[one + 1 :] < place[one]))  # in the same pair, or `one` were not late
    example = Inversion(int(message[one]), int(message[later]), (-1, -1), (int(place[one]), int(place[later])))
    return Disorder(np.sort(place[late]), example)


def overtaken(heard: Heard, rank: Array, limit: Array) -> Array:
    """The members in whose sequences something came after what it should not come after; sorted.

    Args:
        heard: in the order of `place`.
        rank: the rank of each message.
        limit: for each rank, a higher one; a delivery should not come after one of this rank or above.
    """
    members = int(heard.member.max(initial=0)) + 1
    bits = min(CHUNK_BITS, max(LEAST_CHUNK_BITS, 32 - members.bit_length()))
    kind = np.dtype(np.uint32 if members.bit_length() + bits <= 32 else np.uint64)
    chunk = 1 << bits
    numbers = np.arange(chunk, dtype=kind)
    highest = np.full(members, -1)
    found = np.zeros(members, bool)
    for begin in range(0, len(heard.member), chunk):  # what fits the processor's cache is sorted in half the time
        key: NDArray[np.unsignedinteger[Any]] = heard.member[begin : begin + chunk].astype(kind)
        key <<= bits
        key |= numbers[: len(key)]
        key.sort()
        ranks = rank[heard.message[begin : begin + chunk]][key & (chunk - 1)]
        key >>= bits
        changes = key[1:] != key[:-1]
        begins = np.concatenate([[0], np.flatnonzero(changes) + 1])
        whose = key[begins]
        before = highest[whose]
        falls = ranks[1:] < ranks[:-1]
        falls &= ~changes
        if falls.any() or (ranks[begins] < before).any():
            top = highest_so_far(Sequences(begins, ranks, ranks), len(rank), before)
            found[key[top >= limit[ranks]]] = True
        else:
            top = ranks
        highest[whose] = top[np.append(begins[1:], len(top)) - 1]
    return np.flatnonzero(found)


class Sequences(NamedTuple):
    """Deliveries sorted by sequence and place: where each sequence begins, and rank and place of each."""

    begins: Array
    rank: Array
    place: Array


def in_sequences(heard: Heard, rank: Array) -> Sequences:
    """Sort by sequence: member, place and rank in one number where they fit, for sorting numbers is cheapest."""
    if not len(heard.place):
        return Sequences(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))
    rank_bits = max(1, len(rank) - 1).bit_length()
    place_bits = max(1, int(heard.place.max())).bit_length()
    member_bits = max(1, int(heard.member.max())).bit_length()
    if rank_bits + place_bits + member_bits < 64:
        key = heard.member << place_bits
        key |= heard.place
        key <<= rank_bits
        key |= rank[heard.message]
        key.sort()
        ranks = key & (1 << rank_bits) - 1
        key >>= rank_bits
        places = key & (1 << place_bits) - 1
        key >>= place_bits
        members = key
    else:
        order = np.lexsort((heard.place, heard.member))
        ranks, places, members = rank[heard.message][order], heard.place[order], heard.member[order]
    begins = np.flatnonzero(members[1:] != members[:-1]) + 1
    return Sequences(np.concatenate([[0], begins]), ranks, places)


def highest_so_far(sequences: Sequences, ranks: int, before: Array | None = None) -> Array:
    """For each delivery, the highest rank in its sequence up to and with it.

    Args:
        sequences: the deliveries.
        ranks: how many ranks there are.
        before: for each sequence, the highest rank before its first delivery here, -1 for none.
    """
    lift = np.zeros(len(sequences.rank), np.int64)
    lift[sequences.begins[1:]] = ranks  # each sequence above all earlier ones
    np.cumsum(lift, out=lift)
    highest: Array = lift + sequences.rank
    if before is not None:
        highest[sequences.begins] = np.maximum(highest[sequences.begins], lift[sequences.begins] + before)
    np.maximum.accumulate(highest, out=highest)
    highest -= lift
    return highest
