"""The endpoint's options, frozen and checked where they are built.

The command line takes its defaults from here, so that the help text, the contract and the tests use the same numbers.
"""

import math
from dataclasses import dataclass, fields

from ..errors import UsageError

MAX_MESSAGE_BYTES = 131_072
MAX_FRAME_BYTES = 32_768
MAX_DEPTH = 32
MAX_UNSENT_BYTES = 1 << 20
MAX_ROOMS = 1000
POLICIES = ("close-1013", "close-1008", "drop-oldest")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything about one endpoint except its secret and its defects.

    Times are in seconds, rates in tokens per second. 0 disables pings, the idle and lifetime limits, keepalive, user
    time-out, the time to live, a shared rate, the message and frame limits, and the limit of violations.
    """

    host: str = "127.0.0.1"
    port: int = 0
    processes: int = 1
    throttle_per_s: float = 10.0
    throttle_burst: int = 20
    tenant_per_s: float = 50_000.0
    tenant_burst: int = 50_000
    endpoint_per_s: float = 100_000.0
    endpoint_burst: int = 100_000
    connects_per_s: float = 5_000.0
    connects_burst: int = 10_000
    max_violations: int = 0
    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_frame_bytes: int = MAX_FRAME_BYTES
    unsent_bytes: int = MAX_UNSENT_BYTES
    slow_consumer: str = POLICIES[0]
    ping_interval_s: float = 5.0
    ping_timeout_s: float = 5.0
    idle_timeout_s: float = 600.0
    max_lifetime_s: float = 7200.0
    tcp_keepalive_s: float = 60.0
    tcp_user_timeout_s: float = 30.0
    ttl_s: float = 7500.0
    route_selection: str = "$request.body.action"
    route: tuple[str, ...] = ()
    no_default_route: bool = False
    require_feature: tuple[str, ...] = ()
    authorizer: str = ""
    enricher: str = ""
    store: str = ":memory:"
    store_grace_s: float = 2.0
    history: int = 1000
    shards: int = 8
    queue: int = 10_000
    log_level: str = "info"
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
        for name in ("history", "shards", "queue", "processes", "tenant_burst", "endpoint_burst", "connects_burst"):
            if getattr(self, name) < 1:
                raise UsageError(f"{option(name)} {getattr(self, name)}: give at least 1")
        for name in ("max_violations", "max_message_bytes", "max_frame_bytes", "unsent_bytes"):
            if getattr(self, name) < 0:
                raise UsageError(f"{option(name)} {getattr(self, name)}: give at least 0")
        for name, among in (("slow_consumer", POLICIES), ("log_level", LOG_LEVELS)):
            if getattr(self, name) not in among:
                raise UsageError(f"{option(name)} {getattr(self, name)}: give one of {', '.join(among)}")
        if self.processes > 1 and not self.store.startswith(("redis://", "rediss://", "unix://")):
            raise UsageError(f"--processes {self.processes}: several processes need --store redis://HOST:PORT")
        if self.ping_interval_s and not self.ping_timeout_s:
            raise UsageError("--ping-timeout-s 0: give more than 0, or --ping-interval-s 0 for no pings at all")


def option(field: str) -> str:
    """The command-line spelling of a field.

    >>> option("ping_timeout_s")
    '--ping-timeout-s'
    """
    return "--" + field.replace("_", "-")
