"""What happens when a client is over a limit: too many violations, too much unsent, too many connects.

The policy for a slow consumer looks at that one connection and never waits, so it does not affect the room.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from .connection import Connection
from .throttle import Boundless, Bucket, Limit

if TYPE_CHECKING:
    from .hub import Hub

log = logging.getLogger("squall.endpoint")


def connects(per_s: float, burst: int, now_s: float) -> Limit:
    """The limit of new connections; none if `per_s` is 0."""
    return Bucket(per_s, burst, now_s) if per_s else Boundless()


def violations(most: int) -> "Callable[[Hub, Connection], None]":
    """Close with 1008 at violation number `most`; 0: never."""

    def violated(hub: "Hub", connection: Connection) -> None:
        connection.violations += 1
        if most and connection.violations >= most and not connection.gone:
            log.info("connection %s is closed with 1008: %d violations", connection.id, connection.violations)
            connection.close(hub.policies.close_code(1008), "too many violations")
            hub.end(connection, clean=True)

    return violated


def drop_oldest(hub: "Hub", connection: Connection) -> None:
    """Drop the oldest waiting messages."""
    hub.counters.delivery_failures += connection.drop_oldest()


def close_slow(code: int) -> "Callable[[Hub, Connection], None]":
    """Close a slow client with this code."""

    def overflow(hub: "Hub", connection: Connection) -> None:
        log.info("connection %s does not read: %d bytes unsent", connection.id, connection.unsent_bytes)
        hub.counters.delivery_failures += 1
        connection.close(hub.policies.close_code(code), "too slow")
        hub.end(connection, clean=True)

    return overflow


OVERFLOW = {"drop-oldest": drop_oldest, "close-1008": close_slow(1008), "close-1013": close_slow(1013)}
