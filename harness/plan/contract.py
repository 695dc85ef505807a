"""`[contract]`: what the endpoint promises."""

from typing import Literal

from ..errors import PlanError
from .section import Count, Positive, Section


class Contract(Section, frozen=True, kw_only=True):
    """What the endpoint promises; the judgement of rejections, stale connections and the ledger rests on it.

    A promise that is absent (None) is not judged. `schemas` maps `publish` to a JSON Schema file, looked up beside
    the plan and then among the shipped contracts.
    """

    throttle_per_s: Positive | None = None
    throttle_burst: Count | None = None
    throttle_codes: tuple[int, ...] = (429,)
    malformed_codes: tuple[int, ...] = (400,)
    stale_within_s: Positive | None = None
    delivers_to_sender: bool = True
    ordered: bool = True
    schemas: dict[Literal["publish"], str] = {}

    def __post_init__(self) -> None:
        if (self.throttle_per_s is None) != (self.throttle_burst is None):
            raise PlanError("contract: throttle_per_s and throttle_burst go together; give both or neither")
