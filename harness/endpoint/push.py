"""One connection by its id, whichever process holds it: push to it, describe it, close it.

A push never waits and never closes a slow client: what would exceed the client's buffer is refused, so that the
operator slows down and the client keeps what it has.
"""

import enum
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .connection import Connection
from .envelope import TEXT, wire
from .state import Asked

if TYPE_CHECKING:
    from .hub import Hub


class Pushed(enum.Enum):
    """How a push ended."""

    OK = "ok"
    GONE = "gone"
    FULL = "full"


class Described(NamedTuple):
    """The description of one connection; times in ms since 1970."""

    connected_ms: int
    active_ms: int
    address: str
    agent: str


async def push(hub: "Hub", connection_id: str, payload: bytes) -> Pushed:
    """Send one text message to a connection. A connection that is found dead is removed from the list.

    Raises:
        StoreDown: the other processes cannot be asked.
    """
    if connection_id in hub.connections:
        return hub.policies.push(hub, connection_id, payload)
    answered = await hub.store.ask(Asked("push", connection_id, payload))
    return Pushed(answered.decode()) if answered else Pushed.GONE


async def describe(hub: "Hub", connection_id: str) -> Described | None:
    """Describe a connection; None if there is none.

    Raises:
        StoreDown: the other processes cannot be asked.
    """
    if connection_id in hub.connections:
        return described_here(hub, connection_id)
    answered = await hub.store.ask(Asked("describe", connection_id, b""))
    return msgspec.msgpack.decode(answered, type=Described) if answered else None


async def disconnect(hub: "Hub", connection_id: str) -> bool:
    """Close a connection with 1000; False if there is none.

    Raises:
        StoreDown: the other processes cannot be asked.
    """
    if connection_id in hub.connections:
        return disconnect_here(hub, connection_id)
    return bool(await hub.store.ask(Asked("disconnect", connection_id, b"")))


def answer(hub: "Hub", asked: Asked) -> bytes:
    """Answer another process that asks about a connection; b"" if we do not hold it."""
    if asked.connection_id not in hub.connections:
        return b""
    if asked.verb == "push":
        return hub.policies.push(hub, asked.connection_id, asked.payload).value.encode()
    if asked.verb == "describe":
        return msgspec.msgpack.encode(described_here(hub, asked.connection_id))
    return b"ok" if disconnect_here(hub, asked.connection_id) else b""


def push_here(hub: "Hub", connection_id: str, payload: bytes) -> Pushed:
    """Push to a connection of this process."""
    connection = hub.connections.get(connection_id)
    if connection is None:
        return Pushed.GONE
    if is_dead(connection):
        hub.forget(connection)
        return Pushed.GONE
    if connection.unsent_bytes + len(payload) > connection.limit_bytes:
        return Pushed.FULL
    connection.write(wire(TEXT, payload))
    connection.active_s = time.monotonic()
    return Pushed.OK


def described_here(hub: "Hub", connection_id: str) -> Described | None:
    """Describe a connection of this process."""
    connection = hub.connections.get(connection_id)
    if connection is None:
        return None
    idle_ms = int((time.monotonic() - connection.active_s) * 1000)
    active_ms = max(connection.connected_ms, time.time_ns() // 1_000_000 - idle_ms)
    return Described(connection.connected_ms, active_ms, connection.address, connection.agent)


def disconnect_here(hub: "Hub", connection_id: str) -> bool:
    """Close a connection of this process."""
    connection = hub.connections.get(connection_id)
    if connection is None:
        return False
    connection.close(hub.policies.close_code(1000), "closed by the operator")
    hub.end(connection, clean=True)
    return True


def is_dead(connection: Connection) -> bool:
    """Whether the client is known to be gone, whatever the list says."""
    return connection.gone or connection.transport.is_closing()
