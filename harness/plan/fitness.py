"""`[fitness]`: from when on a run of ours cannot be judged.

Limits on ourselves only; a budget says what the endpoint may do. A process that exceeds one makes the run unfit.
"""

from typing import Annotated

from msgspec import Meta

from .section import Count, Positive, Section

Part = Annotated[float, Meta(ge=0, le=1)]


class Fitness(Section, frozen=True, kw_only=True):
    """How well the generator must have measured, each process of it, for its figures to stand.

    `cpu_share` is of one core, in the 95th percentile of its seconds; `missed_share` of the messages that were due and
    never handed out; `unstamped_share` and `bounded_share` of the arrivals for which the kernel's stamps were promised;
    `spare_descriptors` may be open more than sessions (and silent connections) explain.
    """

    lag_p99_ms: Positive = 50.0
    read_lag_p99_ms: Positive = 50.0
    cpu_share: Positive = 0.85
    missed_share: Part = 0.001
    clock_step_ms: Annotated[float, Meta(ge=1)] = 1.0
    unstamped_share: Part = 0.01
    bounded_share: Part = 0.5
    spare_descriptors: Count = 64
