"""Wrong about connections: who is let in and how fast, who is still there, how one ends, what a message leaves."""

import asyncio
import time
from collections.abc import Collection
from random import Random
from typing import TYPE_CHECKING

from ..authorizer import Handshake
from ..connection import Connection
from ..parts import Frame, Parts
from ..pipeline import Job
from ..refusal import Refused
from ..state import Event
from ..tokens import Identity
from .registry import defect

if TYPE_CHECKING:
    from ..hub import Hub


def is_upgrade(handshake: Handshake) -> bool:
    """Whether somebody wants a WebSocket, not an answer by REST."""
    return handshake.headers.get("upgrade", "").lower() == "websocket"


@defect("stale-never", "never notices a client that vanished without a close frame; it stays listed forever")
def stale_never(parts: Parts, _value: float, _chance: Random) -> Parts:
    """No ping time-out, no time to live, and an end without a handshake goes unnoticed."""
    return parts._replace(
        silent=lambda _hub, _connection: None,
        expired=lambda _hub, _connection: None,
        ended=lambda hub, connection, clean: parts.ended(hub, connection, clean) if clean else None,
    )


@defect(
    "half-open-late", "detects a silent client this many seconds later than it should", default=15, limits=(0.1, 3600)
)
def half_open_late(parts: Parts, late_s: float, _chance: Random) -> Parts:
    """Take one's time."""

    def silent(hub: "Hub", connection: Connection) -> None:
        asyncio.get_running_loop().call_later(late_s, cut, hub, connection)

    def cut(hub: "Hub", connection: Connection) -> None:
        if not connection.gone:
            parts.silent(hub, connection)

    return parts._replace(silent=silent)


@defect("stale-pushed", "removes a dead connection from its list but keeps sending to it")
def stale_pushed(parts: Parts, _value: float, _chance: Random) -> Parts:
    """Forget the row, keep the memberships."""

    def ended(hub: "Hub", connection: Connection, clean: bool) -> None:
        if clean:
            parts.ended(hub, connection, clean)
        elif hub.connections.pop(connection.id, None) is not None:
            hub.rows.gone(connection)

    return parts._replace(ended=ended)


@defect("reconnect-drops", "ends the memberships of a user's new connection when the old one is found dead")
def reconnect_drops(parts: Parts, _value: float, _chance: Random) -> Parts:
    """Clean up by user in place of by connection."""

    def ended(hub: "Hub", connection: Connection, clean: bool) -> None:
        parts.ended(hub, connection, clean)
        for other in tuple(hub.connections.values()):
            if (other.identity.tenant, other.identity.user) == (connection.identity.tenant, connection.identity.user):
                hub.leave_rooms(other)

    return parts._replace(ended=ended)


@defect("forgets", "removes the sender of this share of messages from its list although it is alive", default=0.01)
def forgets(parts: Parts, share: float, chance: Random) -> Parts:
    """Lose the row, not the connection."""

    def recipients(hub: "Hub", event: Event) -> Collection[Connection]:
        if chance.random() < share:
            connection = hub.connections.pop(event.origin, None)
            if connection is not None:
                hub.rows.gone(connection)
        return parts.recipients(hub, event)

    return parts._replace(recipients=recipients)


@defect("cuts", "cuts a live connection at this share of deliveries", default=0.001)
def cuts(parts: Parts, share: float, chance: Random) -> Parts:
    """Break off without a word."""

    def deliver(connection: Connection, frame: bytes) -> None:
        parts.deliver(connection, frame)
        if chance.random() < share:
            connection.cut("cut")

    return parts._replace(deliver=deliver)


@defect("wrong-close", "closes with 1000 whatever the reason")
def wrong_close(parts: Parts, _value: float, _chance: Random) -> Parts:
    """One code for all."""
    return parts._replace(close_code=lambda _code: 1000)


@defect("pings-ignored", "answers neither protocol pings nor the action ping")
def pings_ignored(parts: Parts, _value: float, _chance: Random) -> Parts:
    """No pong."""

    def reply(connection: Connection, frame: Frame) -> None:
        if frame.get("action") != "pong":
            parts.reply(connection, frame)

    return parts._replace(answer_ping=lambda _connection, _frame: None, reply=reply)


@defect("connect-heavy", "blocks for this many ms at each connect, so it is slow when many connect at once", default=20,
        limits=(0.1, 10_000))  # fmt: skip
def connect_heavy(parts: Parts, busy_ms: float, _chance: Random) -> Parts:
    """Do everything before the upgrade, in the event loop."""

    async def authorize(handshake: Handshake) -> Identity:
        if is_upgrade(handshake):
            time.sleep(busy_ms / 1000)  # in the event loop: that is what is wrong
        return await parts.authorize(handshake)

    return parts._replace(authorize=authorize)


@defect("connect-fails", "fails this share of connects with 502", default=0.1)
def connect_fails(parts: Parts, share: float, chance: Random) -> Parts:
    """A handler that breaks."""

    async def authorize(handshake: Handshake) -> Identity:
        if is_upgrade(handshake) and chance.random() < share:
            raise Refused(502, "the connect handler failed")
        return await parts.authorize(handshake)

    return parts._replace(authorize=authorize)


@defect("memory-growth", "keeps this many KiB for each message forever", default=16, limits=(0.1, 1024))
def memory_growth(parts: Parts, kept_kib: float, _chance: Random) -> Parts:
    """Leak."""
    kept: list[bytearray] = []

    def queued(job: Job) -> None:
        kept.append(bytearray(b"x" * round(kept_kib * 1024)))
        parts.queued(job)

    return parts._replace(queued=queued)
