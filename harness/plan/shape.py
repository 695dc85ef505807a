"""`[load.shape]`: how the rate of messages changes over time.

One table with several forms, selected by `shape`. All rates are messages per second *of each session*, as is
`load.rate_per_s`; all times are seconds since the load began (when the first message may be due). `load.rate_per_s` is
always the rate at the beginning: the rate throughout for `constant` and `poisson`, the lowest rate of `ramp`, `steps`
and `spike`, the mean of `sine`; `replay` and `think` do not use it.
"""

from typing import Literal

from ..errors import PlanError
from .section import NotNegative, Positive, Section

Spacing = Literal["even", "poisson"]


class Shape(Section, frozen=True, kw_only=True):
    """The base of every shape."""

    @property
    def is_closed(self) -> bool:
        """Whether a message waits for the answer to the one before: then a slow endpoint slows its own load."""
        return False

    def is_silent(self, rate_per_s: float) -> bool:
        """Whether no message is ever due."""
        return False

    def check(self, rate_per_s: float, duration_s: float) -> None:
        """Check the shape against the rest of the load.

        Raises:
            PlanError: the shape does not fit the load.
        """


class Constant(Shape, frozen=True, kw_only=True, tag_field="shape", tag="constant"):
    """A constant rate, evenly spaced."""

    def is_silent(self, rate_per_s: float) -> bool:
        """At a rate of 0."""
        return rate_per_s == 0


class Poisson(Shape, frozen=True, kw_only=True, tag_field="shape", tag="poisson"):
    """A constant mean rate at random times: exponential gaps, from the plan's seed."""

    def is_silent(self, rate_per_s: float) -> bool:
        """At a rate of 0."""
        return rate_per_s == 0


class Ramp(Shape, frozen=True, kw_only=True, tag_field="shape", tag="ramp"):
    """From `load.rate_per_s` in a straight line to `to_per_s`, reached after `over_s` (default: at the end)."""

    to_per_s: NotNegative
    over_s: Positive | None = None
    spacing: Spacing = "even"

    def check(self, rate_per_s: float, duration_s: float) -> None:
        """Check that the rate changes, and that the ramp ends within the load."""
        if self.to_per_s == rate_per_s:
            raise PlanError(f'load.shape: a ramp from {rate_per_s:g} to {self.to_per_s:g} is flat; use "constant"')
        if self.over_s is not None and self.over_s > duration_s:
            raise PlanError(f"load.shape.over_s: {self.over_s:g} is longer than load.duration_s, {duration_s:g}")


class Steps(Shape, frozen=True, kw_only=True, tag_field="shape", tag="steps"):
    """`load.rate_per_s` first, then each rate of `then_per_s`, `step_s` each (default: equal parts of the load)."""

    then_per_s: tuple[NotNegative, ...]
    step_s: Positive | None = None
    spacing: Spacing = "even"

    def is_silent(self, rate_per_s: float) -> bool:
        """When each step is at a rate of 0."""
        return rate_per_s == 0 and not any(self.then_per_s)

    def check(self, rate_per_s: float, duration_s: float) -> None:
        """Check that there are steps, and that the last one begins within the load."""
        if not self.then_per_s:
            raise PlanError('load.shape.then_per_s: name at least one more rate, or use "constant"')
        if self.step_s is not None and self.step_s * len(self.then_per_s) >= duration_s:
            begins_s = self.step_s * len(self.then_per_s)
            raise PlanError(
                f"load.shape: the last step would begin after {begins_s:g} s, "
                f"but load.duration_s is {duration_s:g}; shorten step_s"
            )


class Spike(Shape, frozen=True, kw_only=True, tag_field="shape", tag="spike"):
    """`load.rate_per_s`, but `peak_per_s` for `hold_s` from `after_s` on, with slopes of `rise_s` and `fall_s`."""

    peak_per_s: NotNegative
    after_s: NotNegative
    hold_s: NotNegative
    rise_s: NotNegative = 0.0
    fall_s: NotNegative = 0.0
    spacing: Spacing = "even"

    def check(self, rate_per_s: float, duration_s: float) -> None:
        """Check that there is a spike, and that it begins within the load."""
        if self.after_s >= duration_s:
            raise PlanError(
                f"load.shape.after_s: the spike begins after {self.after_s:g} s, but load.duration_s is {duration_s:g}"
            )
        if self.hold_s + self.rise_s + self.fall_s <= 0:
            raise PlanError("load.shape: a spike needs hold_s, rise_s or fall_s above 0")
        if self.peak_per_s == rate_per_s:
            raise PlanError(f'load.shape.peak_per_s: {self.peak_per_s:g} is load.rate_per_s; use "constant"')


class Sine(Shape, frozen=True, kw_only=True, tag_field="shape", tag="sine"):
    """`load.rate_per_s` plus and minus `amplitude_per_s`, once per `period_s`; it begins at the mean, rising."""

    amplitude_per_s: Positive
    period_s: Positive
    spacing: Spacing = "even"

    def check(self, rate_per_s: float, duration_s: float) -> None:
        """Check that the rate never falls below 0."""
        if self.amplitude_per_s > rate_per_s:
            raise PlanError(
                f"load.shape.amplitude_per_s: {self.amplitude_per_s:g} is more than load.rate_per_s, {rate_per_s:g}: "
                "the rate would fall below 0"
            )


class Replay(Shape, frozen=True, kw_only=True, tag_field="shape", tag="replay"):
    """The times of a CSV file, dealt out to the sessions in turn; the earliest is due when the load begins.

    `column` names the column by its header (default: the first one); `speed` 2 replays twice as fast.
    """

    file: str
    column: str = ""
    speed: Positive = 1.0


class Think(Shape, frozen=True, kw_only=True, tag_field="shape", tag="think"):
    """Closed loop: the next message is due `think_time_s` after the answer to the one before.

    `spread`: `fixed`, or `exponential` with that mean, as independent people have it.
    """

    think_time_s: Positive
    spread: Literal["fixed", "exponential"] = "fixed"

    @property
    def is_closed(self) -> bool:
        """Always: a message waits for the answer to the one before."""
        return True


ShapePlan = Constant | Poisson | Ramp | Steps | Spike | Sine | Replay | Think
