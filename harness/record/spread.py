"""Percentiles of one second's values, for the live view and the self-metrics; figures are computed from rows."""

from typing import NamedTuple

KEPT = 4_096


class Measured(NamedTuple):
    """One second's values, in ns: median, 99th percentile and worst."""

    p50: int
    p99: int
    most: int


class Spread:
    """The values of one second, `add`ed one by one: percentiles from an even sample of some 4,096, the worst of all.

    Adding is on the way of every message, so it is no more than the list's own.
    """

    __slots__ = ("_values", "add")

    def __init__(self) -> None:
        self._values: list[int] = []
        self.add = self._values.append

    @property
    def is_empty(self) -> bool:
        """Whether nothing came since the last time."""
        return not self._values

    def take(self) -> Measured | None:
        """The percentiles of the values since the last call; None if there were none."""
        if not self._values:
            return None
        kept = sorted(self._values[:: -(-len(self._values) // KEPT)])
        found = Measured(kept[(len(kept) - 1) // 2], kept[-(-99 * len(kept) // 100) - 1], max(self._values))
        self._values.clear()
        return found
