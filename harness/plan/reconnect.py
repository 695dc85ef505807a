"""`[reconnect]`: what a session does when its connection could not be opened or has ended."""

from typing import Annotated, Literal

from msgspec import Meta

from ..errors import PlanError
from .codes import Code, check_code
from .section import Count, Positive, Section


class Reconnect(Section, frozen=True, kw_only=True):
    """How a session comes back: a pause of first_s x factor^attempt, at most cap_s, of which full jitter takes a
    random part (`none`: all of it). A refused join is asked for again after the same pauses.

    `terminal_codes` are answers that trying again cannot change: HTTP statuses of a refused upgrade, codes of the
    endpoint's close frame, error codes of a refused join. `max_attempts` (None: no limit) is how often in a row it
    tries to come back. `retry_after`: what the endpoint asks for in `Retry-After` is waited for, when it is the longer.
    `resubscribe`: a session that comes back asks for its rooms again; without it the endpoint is taken to remember
    them, and memberships begin with the opening.
    """

    first_s: Positive = 0.5
    factor: Annotated[float, Meta(ge=1)] = 2.0
    cap_s: Positive = 10.0
    jitter: Literal["full", "none"] = "full"
    max_attempts: Count | None = None
    terminal_codes: tuple[Code, ...] = (401, 403, 1008, 4401, 4403)
    retry_after: bool = True
    resubscribe: bool = True

    def __post_init__(self) -> None:
        for code in self.terminal_codes:
            check_code("reconnect.terminal_codes", code)
        if self.cap_s < self.first_s:
            raise PlanError(f"reconnect: cap_s ({self.cap_s:g}) is less than first_s ({self.first_s:g})")
