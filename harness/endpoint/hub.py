"""The endpoint's state and its rules: who is connected, who is in which room, what each action does.

It must not know HTTP or aiohttp. The subtle thing: everything here runs without waiting, so a frame is read,
judged and handed on as one step, and no two clients ever see half of a change.
"""

import logging
import time
from collections.abc import Collection
from typing import Any

from . import envelope
from .connection import Connection
from .counters import Counters
from .envelope import Request
from .parts import Parts
from .quiet import AtMost
from .refusal import Refused
from .settings import MAX_ROOMS
from .store import Row, Store


class Hub:
    """All connections of one endpoint process."""

    log = logging.getLogger("squall.endpoint")

    def __init__(self, parts: Parts, store: Store) -> None:
        self.parts = parts
        self.store = store
        self.counters = Counters()
        self.connections: dict[str, Connection] = {}
        self._rooms: dict[tuple[str, str], dict[Connection, None]] = {}
        self._refusals = AtMost(self.log, per_s=20)
        self._actions = {
            "joinRoom": self._join,
            "leaveRoom": self._leave,
            "sendMessage": self._send,
            "ping": self._ping,
        }

    def enter(self, connection: Connection) -> None:
        """A connection is open."""
        self.connections[connection.id] = connection
        self.counters.connects += 1
        self._stored(connection)

    def end(self, connection: Connection, *, clean: bool) -> None:
        """A connection is over; `clean` when the client closed it by a handshake. May be called twice."""
        connection.gone = True
        self.parts.ended(self, connection, clean)

    def forget(self, connection: Connection) -> None:
        """Take a connection out of every room and off the table."""
        self.leave_rooms(connection)
        if self.connections.pop(connection.id, None) is not None:
            self.store.drop(connection.id)

    def leave_rooms(self, connection: Connection) -> None:
        """End all memberships."""
        for room in connection.rooms:
            self._remove(connection, room)
        connection.rooms.clear()

    def members(self, tenant: str, room: str) -> Collection[Connection]:
        """Everybody in a room of a tenant; empty for a room that does not exist."""
        return self._rooms.get((tenant, room), ())

    def rooms(self) -> Collection[tuple[str, str]]:
        """Every room that has a member, as (tenant, room)."""
        return self._rooms.keys()

    def listed(self) -> list[dict[str, Any]]:
        """What the endpoint believes about its connections now."""
        return [connection.listed() for connection in self.connections.values()]

    def receive(self, connection: Connection, payload: bytes) -> None:
        """Handle one text message of a client, whatever it is."""
        now_s = time.monotonic()
        connection.active_s = now_s
        self.counters.messages += 1
        if not connection.bucket.take(now_s):
            self.counters.throttled["connection"] += 1
            self.parts.throttled(connection, payload)
            return
        try:
            request = self.parts.read(payload)
            self._actions[request.action](connection, request)
        except Refused as refused:
            self.counters.rejected[refused.code] += 1
            self._refusals.info("connection %s: %d %s %s", connection.id, refused.code, refused.message, refused.detail)
            self.parts.reply(connection, envelope.error(refused))

    def _join(self, connection: Connection, request: Request) -> None:
        room, tenant = request.room, connection.identity.tenant
        if not self.parts.may_join(connection.identity, room):
            raise Refused(403, "forbidden", request_id=request.id, room=room)
        if len(connection.rooms) >= MAX_ROOMS:
            raise Refused(403, "too many rooms", request_id=request.id, room=room)
        self._rooms.setdefault((tenant, room), {})[connection] = None
        connection.rooms.add(room)
        self._stored(connection)
        self.parts.reply(connection, envelope.ack(request))

    def _leave(self, connection: Connection, request: Request) -> None:
        self._require_member(connection, request)
        connection.rooms.discard(request.room)
        self._remove(connection, request.room)
        self._stored(connection)
        self.parts.reply(connection, envelope.ack(request))

    def _send(self, connection: Connection, request: Request) -> None:
        self._require_member(connection, request)
        parts = self.parts
        parts.reply(connection, envelope.ack(request))
        frame = parts.encode(envelope.message(request, connection.identity.user))
        accepted_s = time.monotonic()
        deliver, recipients = parts.deliver, tuple(parts.recipients(self, connection, request.room))
        for member in recipients:
            deliver(member, frame)
        counters = self.counters
        counters.accepted += 1
        counters.fan_out += len(recipients)
        counters.accept.add(accepted_s - connection.active_s)
        counters.deliver.add(time.monotonic() - accepted_s)

    def _ping(self, connection: Connection, request: Request) -> None:
        self.parts.reply(connection, envelope.pong(request))

    def _require_member(self, connection: Connection, request: Request) -> None:
        if request.room not in connection.rooms:
            raise Refused(403, "not a member of the room", request_id=request.id, room=request.room)

    def _remove(self, connection: Connection, room: str) -> None:
        key = (connection.identity.tenant, room)
        members = self._rooms.get(key)
        if members is not None:
            members.pop(connection, None)
            if not members:
                del self._rooms[key]

    def _stored(self, connection: Connection) -> None:
        identity = connection.identity
        rooms = " ".join(sorted(connection.rooms))
        self.store.put(
            Row(connection.id, connection.client, identity.user, identity.tenant, connection.connected_ms, rooms)
        )
