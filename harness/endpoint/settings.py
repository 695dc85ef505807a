"""The endpoint's options, frozen and checked where they are built.

It must not know what is done with them. The subtle thing: the command line takes its defaults from here, so
that the help text, the contract and the tests speak of the same numbers.
"""

import math
from dataclasses import dataclass, fields

from ..errors import UsageError

MAX_MESSAGE_BYTES = 131_072
MAX_DEPTH = 32
MAX_UNSENT_BYTES = 1 << 20
MAX_ROOMS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything about one endpoint but its secret and its defects.

    Times are in seconds. `ping_interval_s` 0 sends no pings; `idle_timeout_s` and `max_lifetime_s` 0 mean no limit.
    """

    host: str = "127.0.0.1"
    port: int = 0
    throttle_per_s: float = 10.0
    throttle_burst: int = 20
    ping_interval_s: float = 5.0
    ping_timeout_s: float = 5.0
    idle_timeout_s: float = 600.0
    max_lifetime_s: float = 7200.0
    store: str = ":memory:"
    history: int = 1000
    ttl_s: float = 7500.0
    shards: int = 8
    queue: int = 10_000
    seed: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{option(field.name)} {value}: give a number of at least 0")
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port {self.port}: give a port from 0 (any free one) to 65535")
        if not self.throttle_per_s > 0:
            raise UsageError("--throttle-per-s 0: give more than 0; to switch throttling off use --defect throttle-off")
        if self.throttle_burst < 1:
            raise UsageError(f"--throttle-burst {self.throttle_burst}: give at least 1")
        for name in ("history", "shards", "queue"):
            if getattr(self, name) < 1:
                raise UsageError(f"{option(name)} {getattr(self, name)}: give at least 1")
        if self.ping_interval_s and not self.ping_timeout_s:
            raise UsageError("--ping-timeout-s 0: give more than 0, or --ping-interval-s 0 for no pings at all")


def option(field: str) -> str:
    """The command-line spelling of a field.

    >>> option("ping_timeout_s")
    '--ping-timeout-s'
    """
    return "--" + field.replace("_", "-")
