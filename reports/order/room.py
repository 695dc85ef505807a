"""One order of a room's messages for all who hear them: `order = "room"`.

Messages are ranked by when anybody heard them first. If every sequence ascends, that rank is an order for all, and
nothing more is to be done. Otherwise the ranks fall into components, so that every descent lies within one, and a
component is examined by itself: two messages are in conflict when one member heard the one first and another member
the other. Without a conflict nobody is accused, whatever the rank says. With one, the messages are put in the order
that most members heard, and the late deliveries of a sequence are the fewest to leave out for the rest to be in that
order.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..rows import Array
from .sequences import NOTHING, Disorder, Heard, Inversion, Sequences, highest_so_far, in_sequences, overtaken

MATRIX_CELLS = 20_000_000
"""A larger component is compared with a few of its sequences instead of every message with every other."""
REFERENCES = 8


def late_of_room(heard: Heard, room: Array, first_heard: Array) -> Disorder:
    """The deliveries that disagree with the order in which most members heard the messages of a room.

    Args:
        heard: in the order of `place`.
        room: the room of each message.
        first_heard: for each message, something that ascends in the order in which it was first heard by anybody.
    """
    by_rank = np.lexsort((first_heard, room))
    rank = np.empty(len(by_rank), np.int64)
    rank[by_rank] = np.arange(len(by_rank))
    disturbed = overtaken(heard, rank, np.arange(1, len(rank) + 1))
    if not len(disturbed):
        return NOTHING
    members = np.full(int(heard.member.max()) + 1, -1)
    members[heard.member] = room[heard.message]
    some = np.isin(members, np.unique(members[disturbed]))[heard.member]
    sequences = in_sequences(heard.of(some), rank)
    return _examined(sequences, _components(sequences, len(by_rank)), by_rank)


def _components(sequences: Sequences, ranks: int) -> Array:
    """For each rank the number of its component; 0 for a message that is in no descent."""
    highest = highest_so_far(sequences, ranks)
    behind = sequences.rank < highest
    change = np.bincount(sequences.rank[behind], minlength=ranks) - np.bincount(highest[behind], minlength=ranks)
    linked = np.cumsum(change) > 0  # with the next rank
    inside = linked.copy()
    inside[1:] |= linked[:-1]
    begins = linked.copy()
    begins[1:] &= ~linked[:-1]
    return np.where(inside, np.cumsum(begins), 0)


class _Kind(NamedTuple):
    """Stretches of sequences that have the same ranks in the same order.

    Args:
        ranks: the ranks.
        offsets: where each stands after the beginning of its stretch.
        begins: where the stretches begin.
    """

    ranks: Array
    offsets: Array
    begins: Array

    def __len__(self) -> int:
        """How many stretches."""
        return len(self.begins)


class _Cut(NamedTuple):
    """All deliveries of messages that are in a component, by component and by sequence.

    Args:
        rank, place: of each delivery.
        begins, component: where each stretch begins, and its component.
        is_whole: whether it has all messages of its component, in ascending ranks.
    """

    rank: Array
    place: Array
    begins: Array
    component: Array
    is_whole: Array


def _cut(sequences: Sequences, component: Array) -> _Cut:
    of = component[sequences.rank]
    number = np.zeros(len(of), np.int64)
    number[sequences.begins[1:]] = 1
    np.cumsum(number, out=number)
    chosen = np.flatnonzero(of)
    chosen = chosen[np.argsort(of[chosen], kind="stable")]
    of, number, rank = of[chosen], number[chosen], sequences.rank[chosen]
    changes = (of[1:] != of[:-1]) | (number[1:] != number[:-1])
    begins = np.concatenate([[0], np.flatnonzero(changes) + 1])
    rises = np.ones(len(of), bool)
    rises[1:] = changes | (rank[1:] > rank[:-1])
    size = np.bincount(component)
    is_whole = np.logical_and.reduceat(rises, begins) & (np.diff(np.append(begins, len(of))) == size[of[begins]])
    return _Cut(rank, sequences.place[chosen], begins, of[begins], is_whole)


def _examined(sequences: Sequences, component: Array, by_rank: Array) -> Disorder:
    """Look at each component by itself."""
    cut = _cut(sequences, component)
    ends = np.append(cut.begins[1:], len(cut.rank))
    edges = np.flatnonzero(np.diff(cut.component, prepend=0, append=0)).tolist()
    odd = np.flatnonzero(~cut.is_whole)
    odd_edges = np.searchsorted(odd, edges).tolist()
    late: list[Array] = []
    example: Inversion | None = None
    for (begin, end), (odd_begin, odd_end) in zip(pairwise(edges), pairwise(odd_edges), strict=True):
        alike: dict[bytes, list[int]] = {}
        for stretch in odd[odd_begin:odd_end].tolist():  # the others are all alike
            alike.setdefault(cut.rank[cut.begins[stretch] : ends[stretch]].tobytes(), []).append(stretch)
        groups = [*map(np.array, alike.values()), begin + np.flatnonzero(cut.is_whole[begin:end])]
        kinds = []
        for group in groups:
            if len(group) and (length := ends[group[0]] - cut.begins[group[0]]) > 1:
                first = cut.begins[group[0]]
                kinds.append(_Kind(cut.rank[first : first + length], np.arange(length), cut.begins[group]))
        found, pair = _compare(kinds, cut.place)
        late += found
        example = example or pair
    if example is None:
        return NOTHING
    example = example._replace(first=int(by_rank[example.first]), second=int(by_rank[example.second]))
    return Disorder(np.unique(np.concatenate(late)), example)


Found = tuple[list[Array], Inversion | None]
"""The places of late deliveries, and one pair of messages, which are given by their ranks."""


def _compare(kinds: list[_Kind], place: Array) -> Found:
    """Judge one component."""
    if len(kinds) < 2:
        return [], None
    messages = np.unique(np.concatenate([kind.ranks for kind in kinds]))
    if len(kinds) * len(messages) ** 2 > MATRIX_CELLS:
        return _compare_with_few(kinds, place)
    local = [np.searchsorted(messages, kind.ranks) for kind in kinds]
    before = np.zeros((len(messages), len(messages)), np.int64)
    for at, kind in zip(local, kinds, strict=True):
        before[at[:, None], at] += np.triu(np.full((len(at), len(at)), len(kind)), 1)
    conflict = (before > 0) & (before.T > 0)
    if not conflict.any():
        return [], None
    position = _majority(before)
    late: list[Array] = []
    pair: Inversion | None = None
    for at, kind in zip(local, kinds, strict=True):
        for late_at, other_at in _out_of_order(at, position, conflict):
            late.append(place[kind.begins + kind.offsets[late_at]])
            if pair is None:
                first, second = sorted((int(at[late_at]), int(at[other_at])), key=lambda each: int(position[each]))
                pair = _inversion(int(messages[first]), int(messages[second]), kinds, place)
    return late, pair


def _majority(before: Array) -> Array:
    """The position of each message in the order that most sequences have: no two neighbours are against a majority."""
    wins = np.count_nonzero(before > before.T, axis=1)
    order: list[int] = np.argsort(-wins, kind="stable").tolist()
    for end in range(1, len(order)):
        at = end
        while at and before[order[at], order[at - 1]] > before[order[at - 1], order[at]]:
            order[at - 1], order[at] = order[at], order[at - 1]
            at -= 1
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    return position


def _out_of_order(at: Array, position: Array, conflict: Array) -> Iterator[tuple[int, int]]:
    """Of one kind, the deliveries to leave out, each with one that it is in conflict with (both as indexes)."""
    ranks = position[at]
    if (ranks[1:] > ranks[:-1]).all():
        return
    for left_out in _left_out(ranks.tolist()):
        numbers = np.arange(len(at))
        inverted = (numbers < left_out) & (ranks > ranks[left_out]) | (numbers > left_out) & (ranks < ranks[left_out])
        against = np.flatnonzero(inverted & conflict[at[left_out], at])
        if len(against):
            yield left_out, int(against[0])


def _left_out(ranks: list[int]) -> list[int]:
    """The indexes of the fewest entries without which the rest ascends."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, rank in enumerate(ranks):
        spot = bisect_left(tails, rank)
        before.append(ends[spot - 1] if spot else -1)
        if spot == len(tails):
            tails.append(rank)
            ends.append(index)
        else:
            tails[spot], ends[spot] = rank, index
    kept, at = set(), ends[-1] if ends else -1
    while at >= 0:
        kept.add(at)
        at = before[at]
    return [index for index in range(len(ranks)) if index not in kept]


def _inversion(first: int, second: int, kinds: list[_Kind], place: Array) -> Inversion:
    """Two receivers that heard these two messages in different orders."""
    shown: dict[bool, tuple[int, int]] = {}
    for kind in kinds:
        where = {rank: index for index, rank in enumerate(kind.ranks.tolist())}
        if first in where and second in where:
            places = place[kind.begins[0] + kind.offsets]
            shown.setdefault(where[first] < where[second], (int(places[where[first]]), int(places[where[second]])))
    return Inversion(first, second, shown[True], shown[False])


def _compare_with_few(kinds: list[_Kind], place: Array) -> Found:
    """As `_compare`, for a large component: with the longest kind, then with the longest of what that has not."""
    late: list[Array] = []
    pair: Inversion | None = None
    left = kinds
    for _ in range(REFERENCES):
        left = sorted(left, key=lambda kind: (-len(kind.ranks), -len(kind)))
        if len(left) < 2:
            break
        reference, rest = left[0], list[_Kind]()
        known = {rank: index for index, rank in enumerate(reference.ranks.tolist())}
        for kind in left[1:]:
            shared = np.array([rank in known for rank in kind.ranks.tolist()])
            common = _Kind(kind.ranks[shared], kind.offsets[shared], kind.begins)
            numbers = [known[rank] for rank in common.ranks.tolist()]
            for left_out in _left_out(numbers):
                late.append(place[common.begins + common.offsets[left_out]])
                if pair is None:
                    other = _against(numbers, left_out)
                    first, second = sorted((left_out, other), key=numbers.__getitem__)
                    pair = _inversion(int(common.ranks[first]), int(common.ranks[second]), [reference, common], place)
            if np.count_nonzero(~shared) > 1:
                rest.append(_Kind(kind.ranks[~shared], kind.offsets[~shared], kind.begins))
        left = rest
    return late, pair


def _against(numbers: list[int], left_out: int) -> int:
    """The index of one number that a left-out one is on the wrong side of."""
    mine = numbers[left_out]
    return next(
        index
        for index, number in enumerate(numbers)
        if (index < left_out and number > mine) or (index > left_out and number < mine)
    )
