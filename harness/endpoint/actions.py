"""What each action of the WebSocket side does, one function each.

A leave is acknowledged only after everything that was accepted before it has been delivered, so that a session which
leaves misses no message that was acknowledged earlier.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import envelope
from .connection import Connection
from .envelope import Request
from .refusal import Refused
from .settings import MAX_ROOMS
from .state import Event, StoreDown

if TYPE_CHECKING:
    from .hub import Hub

Act = Callable[["Hub", Connection, Request], None]


def join(hub: "Hub", connection: Connection, request: Request) -> None:
    """Become a member of a room."""
    room = _room(hub, connection, request)
    if not hub.policies.may_join(connection.identity, room):
        raise Refused(403, "forbidden", request_id=request.id, room=request.room)
    if len(connection.rooms) >= MAX_ROOMS:
        raise Refused(403, "too many rooms", request_id=request.id, room=request.room)
    hub.join(connection, room)
    hub.policies.reply(connection, envelope.ack(request))


def leave(hub: "Hub", connection: Connection, request: Request) -> None:
    """End a membership."""
    room = _room(hub, connection, request)
    _require_member(connection, request, room)
    if hub.store.carries:
        hub.later(asyncio.create_task(_leave_settled(hub, connection, request, room)))
        return
    hub.leave(connection, room)
    hub.policies.reply(connection, envelope.ack(request))


async def _leave_settled(hub: "Hub", connection: Connection, request: Request, room: str) -> None:
    try:
        await hub.store.settle()
    except StoreDown as error:
        refused = Refused(503, "try again later", detail=str(error), request_id=request.id, room=request.room)
        hub.refuse(connection, refused)
        return
    hub.leave(connection, room)
    hub.policies.reply(connection, envelope.ack(request))


def send(hub: "Hub", connection: Connection, request: Request) -> None:
    """Publish a message in a room."""
    room = _room(hub, connection, request)
    policies, identity = hub.policies, connection.identity
    if not policies.may_publish(identity, room):
        raise Refused(403, "forbidden", request_id=request.id, room=request.room)
    if policies.needs_membership(room):
        _require_member(connection, request, room)

    def done(event: Event | None) -> None:
        if event is None:
            hub.refuse(connection, _not_accepted(request))
        else:
            policies.reply(connection, envelope.ack(request))

    event = Event(identity.tenant, room, 0, request.id, identity.user, request.text, envelope.now_ms(), connection.id)
    if not hub.pipeline.submit(event, done):
        raise _not_accepted(request)


def ping(hub: "Hub", connection: Connection, request: Request) -> None:
    """Answer with a pong."""
    hub.policies.reply(connection, envelope.pong(request))


def _room(hub: "Hub", connection: Connection, request: Request) -> str:
    try:
        return hub.policies.room_of(connection.identity, request.room)
    except Refused as refused:
        refused.request_id, refused.room = request.id, request.room
        raise


def _require_member(connection: Connection, request: Request, room: str) -> None:
    if room not in connection.rooms:
        raise Refused(403, "not a member of the room", request_id=request.id, room=request.room)


def _not_accepted(request: Request) -> Refused:
    return Refused(503, "not accepted, try again later", request_id=request.id, room=request.room)


ACTIONS: dict[str, Act] = {
    "joinRoom": join,
    "leaveRoom": leave,
    "sendMessage": send,
    "subscribeTicker": join,
    "unsubscribeTicker": leave,
    "ping": ping,
}
