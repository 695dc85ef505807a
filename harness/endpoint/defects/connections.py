"""Defects of connections: who may connect and how fast, which are alive, how one ends, what a message leaves behind."""

import asyncio
import time
from collections.abc import Collection
from random import Random
from typing import TYPE_CHECKING

from ..authorizer import Handshake
from ..connection import Connection
from ..pipeline import Job
from ..policies import Frame, Policies
from ..refusal import Refused
from ..state import Event
from ..tokens import Identity
from .registry import defect

if TYPE_CHECKING:
    from ..hub import Hub


def is_upgrade(handshake: Handshake) -> bool:
    """Whether a handshake asks for a WebSocket, not for an answer by REST."""
    return handshake.headers.get("upgrade", "").lower() == "websocket"


@defect("stale-never", "never notices a client that vanished without a close frame; it stays listed forever")
def stale_never(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Have no ping time-out and no time to live, and ignore an end without a handshake."""
    return policies._replace(
        silent=lambda _hub, _connection: None,
        expired=lambda _hub, _connection: None,
        ended=lambda hub, connection, clean: policies.ended(hub, connection, clean) if clean else None,
    )


@defect(
    "half-open-late", "detects a silent client this many seconds later than it should", default=15, limits=(0.1, 3600)
)
def half_open_late(policies: Policies, late_s: float, _chance: Random) -> Policies:
    """Wait before giving up a silent client."""

    def silent(hub: "Hub", connection: Connection) -> None:
        asyncio.get_running_loop().call_later(late_s, cut, hub, connection)

    def cut(hub: "Hub", connection: Connection) -> None:
        if not connection.gone:
            policies.silent(hub, connection)

    return policies._replace(silent=silent)


@defect("stale-pushed", "removes a dead connection from its list but keeps sending to it")
def stale_pushed(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Delete the row, keep the memberships."""

    def ended(hub: "Hub", connection: Connection, clean: bool) -> None:
        if clean:
            policies.ended(hub, connection, clean)
        elif hub.connections.pop(connection.id, None) is not None:
            hub.store_writer.gone(connection)

    return policies._replace(ended=ended)


@defect("reconnect-drops", "ends the memberships of a user's new connection when the old one is found dead")
def reconnect_drops(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Clean up by user instead of by connection."""

    def ended(hub: "Hub", connection: Connection, clean: bool) -> None:
        policies.ended(hub, connection, clean)
        for other in tuple(hub.connections.values()):
            if (other.identity.tenant, other.identity.user) == (connection.identity.tenant, connection.identity.user):
                hub.leave_rooms(other)

    return policies._replace(ended=ended)


@defect("forgets", "removes the sender of this share of messages from its list although it is alive", default=0.01)
def forgets(policies: Policies, share: float, chance: Random) -> Policies:
    """Delete the row, not the connection."""

    def recipients(hub: "Hub", event: Event) -> Collection[Connection]:
        if chance.random() < share:
            connection = hub.connections.pop(event.origin, None)
            if connection is not None:
                hub.store_writer.gone(connection)
        return policies.recipients(hub, event)

    return policies._replace(recipients=recipients)


@defect("cuts", "cuts a live connection at this share of deliveries", default=0.001)
def cuts(policies: Policies, share: float, chance: Random) -> Policies:
    """Disconnect without a close frame."""

    def deliver(connection: Connection, frame: bytes) -> None:
        policies.deliver(connection, frame)
        if chance.random() < share:
            connection.cut("cut")

    return policies._replace(deliver=deliver)


@defect("wrong-close", "closes with 1000 whatever the reason")
def wrong_close(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Use one code for every reason."""
    return policies._replace(close_code=lambda _code: 1000)


@defect("pings-ignored", "answers neither protocol pings nor the action ping")
def pings_ignored(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Send no pongs."""

    def reply(connection: Connection, frame: Frame) -> None:
        if frame.get("action") != "pong":
            policies.reply(connection, frame)

    return policies._replace(answer_ping=lambda _connection, _frame: None, reply=reply)


@defect("connect-heavy", "blocks for this many ms at each connect, so it is slow when many connect at once", default=20,
        limits=(0.1, 10_000))  # fmt: skip
def connect_heavy(policies: Policies, busy_ms: float, _chance: Random) -> Policies:
    """Do heavy work before the upgrade, in the event loop."""

    async def authorize(handshake: Handshake) -> Identity:
        if is_upgrade(handshake):
            time.sleep(busy_ms / 1000)  # blocks the event loop: that is the defect
        return await policies.authorize(handshake)

    return policies._replace(authorize=authorize)


@defect("connect-fails", "fails this share of connects with 502", default=0.1)
def connect_fails(policies: Policies, share: float, chance: Random) -> Policies:
    """Fail in the handler."""

    async def authorize(handshake: Handshake) -> Identity:
        if is_upgrade(handshake) and chance.random() < share:
            raise Refused(502, "the connect handler failed")
        return await policies.authorize(handshake)

    return policies._replace(authorize=authorize)


@defect("memory-growth", "keeps this many KiB for each message forever", default=16, limits=(0.1, 1024))
def memory_growth(policies: Policies, kept_kib: float, _chance: Random) -> Policies:
    """Leak memory."""
    kept: list[bytearray] = []

    def queued(job: Job) -> None:
        kept.append(bytearray(b"x" * round(kept_kib * 1024)))
        policies.queued(job)

    return policies._replace(queued=queued)
