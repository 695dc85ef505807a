"""`[load.arrivals]` and `[load.departures]`: when sessions come and how long they stay."""

from typing import Literal

from ..errors import PlanError
from .section import Count, NotNegative, Positive, Section


class Arrivals(Section, frozen=True, kw_only=True):
    """How openings are spread over `load.ramp_s`, or over the time that `per_s` connects per second take.

    constant   evenly
    linear     at a rate that grows from nothing, to twice the mean
    steps      in `steps` equal groups, each all at once, evenly apart
    poisson    at random, as independent people come

    With `wait_for_all`, messages begin when the last is due to have opened; without it, each session speaks from
    half a second after its own opening on, and sessions may come all through the load.
    """

    shape: Literal["constant", "linear", "steps", "poisson"] = "constant"
    per_s: Positive | None = None
    steps: Count | None = None
    wait_for_all: bool = True

    def __post_init__(self) -> None:
        if (self.shape == "steps") != (self.steps is not None):
            raise PlanError('load.arrivals: shape = "steps" and steps (how many groups) go together')


class Departures(Section, frozen=True, kw_only=True):
    """How long a session stays, counted from when its opening was due; then it leaves its rooms and closes.

    fixed         mean_s, all alike
    uniform       between half and one and a half times mean_s
    exponential   mean_s in the mean, most shorter, some much longer

    With `replace`, a fresh session takes the seat `replace_after_s` after the departure was due: the same number,
    a new connection, nothing remembered.
    """

    shape: Literal["none", "fixed", "uniform", "exponential"] = "none"
    mean_s: Positive | None = None
    replace: bool = True
    replace_after_s: NotNegative = 1.0

    def __post_init__(self) -> None:
        if (self.shape != "none") != (self.mean_s is not None):
            raise PlanError("load.departures: shape and mean_s go together; give both or neither")
