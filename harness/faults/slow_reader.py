"""Slow reader: the client reads a few bytes per second, as over a bad mobile link; its receive window fills."""

from ..plan.chaos import Act
from ..plan.section import Count, Positive
from .fault import Fault, fault


class SlowReaderOptions(Act, frozen=True, kw_only=True, tag_field="fault", tag="slow-reader"):
    """`bytes_per_s` are read from each connection, for `hold_s` seconds or (None) to the end of the run."""

    bytes_per_s: Count = 1024
    hold_s: Positive | None = None

    @property
    def lift_after_s(self) -> float | None:
        """As the plan says."""
        return self.hold_s


@fault(
    "slow-reader",
    number=8,
    options=SlowReaderOptions,
    summary="the client reads a limited number of bytes per second, and goes on sending",
    kernel_sees="a small window, which is zero most of the time if more is sent",
    code_sees="late pongs and closes; sending blocks, or its buffer grows",
    stops_reading=True,
    lasts=True,
)
class SlowReader(Fault[SlowReaderOptions]):
    """Read by a budget; the connection stays the session's, and the backlog arrives after the lift."""

    def inject(self) -> None:
        """Limit the reading of the connection."""
        self.target.connection.limit_reading(self.options.bytes_per_s)

    def lift(self) -> None:
        """Read the backlog, and then as before."""
        self.target.connection.limit_reading(None)
