"""`[[chaos]]`: what is broken, when, and to how many. It must not know how a fault is carried out."""

from enum import IntEnum
from typing import Literal

from ..errors import PlanError
from .section import Count, NotNegative, Positive, Section, Share


class Fault(IntEnum):
    """What we do to a client on purpose (the `code` column of FAULT and LIFT rows)."""

    DROP_CLOSE = 1
    DROP_FIN = 2
    DROP_RESET = 3
    DROP_HALF_OPEN = 4
    DROP_STALL = 5
    BURST = 6
    MALFORMED = 7

    @property
    def is_drop(self) -> bool:
        """Whether the fault takes a connection away, so that the endpoint should notice."""
        return self <= Fault.DROP_STALL

    @property
    def label(self) -> str:
        """The name used in plans and reports: `half-open`, `burst`, ..."""
        return self.name.removeprefix("DROP_").lower().replace("_", "-")


class Act(Section, frozen=True, kw_only=True):
    """When and to whom a fault happens; times are seconds since the run began (the first session's opening)."""

    at_s: NotNegative | None = None
    every_s: Positive | None = None
    until_s: Positive | None = None
    count: Count | None = None
    share: Share | None = None

    def __post_init__(self) -> None:
        if self.at_s is None and self.every_s is None:
            raise PlanError("chaos: a fault needs at_s (once) or every_s (repeatedly)")
        if self.until_s is not None and self.every_s is None:
            raise PlanError("chaos: until_s goes with every_s")
        if (self.count is None) == (self.share is None):
            raise PlanError("chaos: a fault needs either count (sessions) or share (of the sessions, 0 to 1)")

    def times_s(self, end_s: float) -> list[float]:
        """Every time at which it happens, before `end_s`."""
        if self.every_s is None:
            return [self.at_s] if self.at_s is not None and self.at_s < end_s else []
        first = self.at_s if self.at_s is not None else self.every_s
        last = min(end_s, self.until_s if self.until_s is not None else end_s)
        steps = max(0, int((last - first) / self.every_s) + 1)
        return [at for n in range(steps) if (at := first + n * self.every_s) < last]

    def victims(self, sessions: int) -> int:
        """How many sessions one occurrence takes, at least one and at most all."""
        if self.count is not None:
            return min(self.count, sessions)
        return max(1, min(sessions, round((self.share or 0) * sessions)))


HOW_TO_DROP = {
    "close": Fault.DROP_CLOSE,
    "fin": Fault.DROP_FIN,
    "reset": Fault.DROP_RESET,
    "half-open": Fault.DROP_HALF_OPEN,
    "stall": Fault.DROP_STALL,
}


class Drop(Act, frozen=True, kw_only=True, tag_field="fault", tag="drop"):
    """The client vanishes: it closes, sends only FIN, resets, falls silent (half-open) or stops reading (stall).

    A silent connection is held until `hold_s` after the act or the end of the run; meanwhile the session comes
    back on a new connection, as a person who walked out of the radio cell does.
    """

    how: Literal["close", "fin", "reset", "half-open", "stall"]
    hold_s: Positive | None = None

    @property
    def code(self) -> Fault:
        """The fault as a record's number."""
        return HOW_TO_DROP[self.how]

    @property
    def is_silent(self) -> bool:
        """Whether the connection is held afterwards, and costs a descriptor as long."""
        return self.how in ("half-open", "stall")


class Burst(Act, frozen=True, kw_only=True, tag_field="fault", tag="burst"):
    """A session sends `messages` valid messages at once, to exceed the throttle."""

    messages: Count = 50

    @property
    def code(self) -> Fault:
        """The fault as a record's number."""
        return Fault.BURST


class Malformed(Act, frozen=True, kw_only=True, tag_field="fault", tag="malformed"):
    """A session sends `messages` malformed payloads one after the other: against the schema, or not JSON at all."""

    messages: Count = 20

    @property
    def code(self) -> Fault:
        """The fault as a record's number."""
        return Fault.MALFORMED


FaultPlan = Drop | Burst | Malformed
