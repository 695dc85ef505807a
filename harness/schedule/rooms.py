"""Which session is in which room. Pure: it follows from the plan and the seed, the same in every process.

Computed once per process and shared: four bytes per membership. Rooms are filled one after the other from rows of all
sessions, each row shuffled separately. So no room has a session twice, rooms with related numbers do not share members,
and a room's members are spread over the processes and over the ramp.
"""

import random
from array import array
from collections.abc import Callable
from itertools import pairwise

from ..plan.load import Load
from ..plan.room_sizes import Equal, Fixed, Giant, NoRoom, Own, Zipf


class Rooms:
    """The rooms of every session; `count` is how many rooms there are."""

    __slots__ = ("_dealt", "_leaders", "_per_session", "_sessions", "_table", "count")

    def __init__(self, load: Load, seed: int) -> None:
        plan = load.room_sizes
        self.count = load.room_count
        self._sessions = load.sessions
        self._leaders = array("I")
        self._per_session = 0 if isinstance(plan, NoRoom) else 1 if isinstance(plan, Own) else plan.per_session
        # What plain arithmetic says needs no table.
        self._dealt = isinstance(plan, Own) or (isinstance(plan, Equal) and plan.per_session == 1)
        self._table = array("I")
        if self._per_session and not self._dealt:
            self._table = _fill(sizes(load), load.sessions, self._per_session, random.Random(f"{seed}-rooms"))

    def of(self, number: int) -> tuple[int, ...]:
        """The rooms of session `number`: none, one or several, none twice."""
        if self._dealt:
            return (number % self.count,)
        first = number * self._per_session
        return tuple(self._table[first : first + self._per_session])

    def led_by(self, number: int) -> tuple[int, ...]:
        """The rooms of session `number` in which no session has a lower number: each room has one such leader."""
        if not self._leaders and self.count:
            leaders = array("I", [self._sessions] * self.count)
            for session in reversed(range(self._sessions)):
                for room in self.of(session):
                    leaders[room] = session
            self._leaders = leaders
        return tuple(room for room in self.of(number) if self._leaders[room] == number)


def home_names(load: Load, seed: int) -> Callable[[int], str]:
    """Which room each session is in first: the room's name by the session's number."""
    rooms = Rooms(load, seed)
    return lambda number: load.name_of(rooms.of(number)[0])


def sizes(load: Load) -> list[int]:
    """How many members each room has; they add up to sessions x rooms a session."""
    plan, rooms, sessions = load.room_sizes, load.room_count, load.sessions
    if isinstance(plan, Own):
        return [1] * sessions
    if isinstance(plan, NoRoom):
        return []
    members = sessions * plan.per_session
    if isinstance(plan, Fixed):
        return list(plan.members)
    if isinstance(plan, Giant):
        giant = plan.giant(sessions)
        return [giant, *_equal(members - giant, rooms - 1)]
    if isinstance(plan, Zipf):
        return _proportional(members, [(rank + 1) ** -plan.exponent for rank in range(rooms)], sessions)
    return _equal(members, rooms)


def _equal(members: int, rooms: int) -> list[int]:
    return [members // rooms + (room < members % rooms) for room in range(rooms)]


def _proportional(members: int, weights: list[float], most: int) -> list[int]:
    """One for each, none above `most`, and the rest in proportion to the weights (largest remainders first)."""
    found = [1] * len(weights)
    left = members - len(weights)
    while left > 0:
        roomy = [room for room, size in enumerate(found) if size < most]
        whole = sum(weights[room] for room in roomy)
        exact = {room: left * weights[room] / whole for room in roomy}
        for room in roomy:
            more = min(most - found[room], int(exact[room]))
            found[room] += more
            left -= more
        for room in sorted(roomy, key=lambda room: int(exact[room]) - exact[room])[:left]:
            more = min(1, most - found[room])
            found[room] += more
            left -= more
    return found


def _fill(room_sizes: list[int], sessions: int, per_session: int, chance: random.Random) -> "array[int]":
    """The rooms of session 0, of session 1, ... one after the other."""
    table = array("I", bytes(4 * sessions * per_session))
    bounds = [0]
    for size in room_sizes:
        bounds.append(bounds[-1] + size)
    row: list[int] = []
    at = 0
    for room, (begin, end) in enumerate(pairwise(bounds)):
        while at < end:
            number, place = divmod(at, sessions)
            if place == 0:
                # A room that goes on from the row before must not get the same people again.
                row = _shuffled(
                    sessions, row[begin - (number - 1) * sessions :] if begin < at else [], end - at, chance
                )
            table[row[place] * per_session + number] = room
            at += 1
    return table


def _shuffled(sessions: int, taken: list[int], count: int, chance: random.Random) -> list[int]:
    """All sessions in a new order, of which the first `count` are not `taken`."""
    row = list(range(sessions))
    chance.shuffle(row)
    if taken:
        held = set(taken)
        free = [session for session in row if session not in held]
        first = free[:count]
        chosen = set(first)
        row = first + [session for session in row if session not in chosen]
    return row
