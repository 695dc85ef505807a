"""One connection reached by its id: push to it, look at it, end it.

It must not know HTTP. The subtle thing: a push never waits and never closes a slow client; what would go beyond the
client's buffer is refused, so the operator slows down and the client keeps what it has.
"""

import enum
import time
from typing import NamedTuple

from .connection import Connection
from .envelope import TEXT, wire
from .hub import Hub
from .settings import MAX_UNSENT_BYTES


class Pushed(enum.Enum):
    """How a push ended."""

    OK = "ok"
    GONE = "gone"
    FULL = "full"


class Described(NamedTuple):
    """What is told of one connection; times in ms since 1970."""

    connected_ms: int
    active_ms: int
    address: str
    agent: str


def push(hub: Hub, connection_id: str, payload: bytes) -> Pushed:
    """Hand one text message to a connection of this process. One that is found dead is taken off the table."""
    connection = hub.connections.get(connection_id)
    if connection is None:
        return Pushed.GONE
    if is_dead(connection):
        hub.forget(connection)
        return Pushed.GONE
    if connection.transport.get_write_buffer_size() + len(payload) > MAX_UNSENT_BYTES:
        return Pushed.FULL
    connection.write(wire(TEXT, payload))
    connection.active_s = time.monotonic()
    return Pushed.OK


def describe(hub: Hub, connection_id: str) -> Described | None:
    """What is known of a connection of this process; None for none."""
    connection = hub.connections.get(connection_id)
    if connection is None:
        return None
    idle_ms = int((time.monotonic() - connection.active_s) * 1000)
    active_ms = max(connection.connected_ms, time.time_ns() // 1_000_000 - idle_ms)
    return Described(connection.connected_ms, active_ms, connection.address, connection.agent)


def disconnect(hub: Hub, connection_id: str) -> bool:
    """Close a connection of this process with 1000; False when there is none."""
    connection = hub.connections.get(connection_id)
    if connection is None:
        return False
    connection.close(hub.parts.close_code(1000), "closed by the operator")
    hub.end(connection, clean=True)
    return True


def is_dead(connection: Connection) -> bool:
    """Whether it is known that nobody is there, whatever the table says."""
    return connection.gone or connection.transport.is_closing()
