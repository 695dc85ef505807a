"""`[[chaos]]`: when a fault is injected, and into how many sessions.

The name of a fault, its number and its own keys are in its file in `harness.faults`; `fault_registry` finds it.
"""

from collections.abc import Iterator
from itertools import count as counting

from ..errors import PlanError
from .section import Count, NotNegative, Positive, Section, Share


class Act(Section, frozen=True, kw_only=True):
    """When and to whom a fault happens; times are seconds since the run began (the first session's opening)."""

    at_s: NotNegative | None = None
    every_s: Positive | None = None
    until_s: Positive | None = None
    count: Count | None = None
    share: Share | None = None

    def __post_init__(self) -> None:
        if self.at_s is None and self.every_s is None:
            raise PlanError("a fault needs at_s (once) or every_s (repeatedly)")
        if self.until_s is not None and self.every_s is None:
            raise PlanError("until_s goes with every_s")
        if (self.count is None) == (self.share is None):
            raise PlanError("a fault needs either count (sessions) or share (of the sessions, 0 to 1)")

    @property
    def fault_name(self) -> str:
        """The name that the fault is registered by: `half-open`, `burst`, ..."""
        return str(self.__struct_config__.tag)

    @property
    def lift_after_s(self) -> float | None:
        """How long after an injection it is lifted, in seconds; None: when it ends by itself, or with the run."""
        return None

    def times_s(self, end_s: float) -> Iterator[float]:
        """Every time at which it happens before `end_s`, in order and one by one: there may be millions."""
        if self.every_s is None:
            if self.at_s is not None and self.at_s < end_s:
                yield self.at_s
            return
        first = self.at_s if self.at_s is not None else self.every_s
        last = min(end_s, self.until_s if self.until_s is not None else end_s)
        for n in counting():
            if (at := first + n * self.every_s) >= last:
                return
            yield at

    def victims(self, sessions: int) -> int:
        """How many sessions one occurrence affects, at least one and at most all."""
        if self.count is not None:
            return min(self.count, sessions)
        return max(1, min(sessions, round((self.share or 0) * sessions)))


class Drop(Act, frozen=True, kw_only=True, tag_field="fault", tag="drop"):
    """The client vanishes; `how` is the name of the fault. The session comes back on a new connection."""

    how: str

    @property
    def fault_name(self) -> str:
        """`how` says it."""
        return self.how


class HeldDrop(Drop, frozen=True, kw_only=True, tag_field="fault", tag="drop"):
    """The client falls silent and its connection is held: for `hold_s` seconds, or (None) to the end of the run."""

    hold_s: Positive | None = None

    @property
    def lift_after_s(self) -> float | None:
        """As the plan says."""
        return self.hold_s
