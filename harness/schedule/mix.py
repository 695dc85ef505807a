"""Which scenario each session plays. Pure: it follows from the plan and the seed, the same in every process.

Sessions are dealt in rounds of as many as the weights add up to, each round shuffled again, so that the shares are
exact from the first sessions on and have nothing to do with which room or process a session's number puts it into.
"""

import random
from collections.abc import Iterator
from math import gcd

from ..plan.load import Load
from .ownership import owned


class Mix:
    """The scenarios of a run and which session plays which; `names` are in the order of the plan."""

    __slots__ = ("_scenario_indices", "names")

    def __init__(self, load: Load, seed: int) -> None:
        self.names = load.scenarios
        unit = gcd(*load.mix.values()) if load.mix else 1
        deck = [index for index, name in enumerate(self.names) for _ in range(load.mix.get(name, unit) // unit)]
        self._scenario_indices = bytearray()
        if len(self.names) > 1:
            chance = random.Random(f"{seed}-mix")
            while len(self._scenario_indices) < load.sessions:
                chance.shuffle(deck)
                self._scenario_indices += bytes(deck)

    def of(self, number: int) -> int:
        """The scenario index of session `number`: the position of its scenario in `names`."""
        return self._scenario_indices[number % len(self._scenario_indices)] if self._scenario_indices else 0

    def crowds(self, load: Load, rank: int, processes: int) -> Iterator[list[int]]:
        """The session numbers of one process, user by user: `load.sessions_per_user` at most, all of one scenario.

        Users are dealt to processes like cards, as Locust does it, and sessions to users: a process that has a user
        more than another has that user's sessions more.
        """
        waiting: list[list[int]] = [[] for _ in self.names]
        for number in owned(load, rank, processes):
            index = self.of(number)
            waiting[index].append(number)
            if len(waiting[index]) == load.sessions_per_user:
                yield waiting[index]
                waiting[index] = []
        yield from filter(None, waiting)

    def table(self, sessions: int) -> list[int]:
        """The scenario indices of all sessions; empty when there is only one scenario."""
        return list(self._scenario_indices[:sessions])
