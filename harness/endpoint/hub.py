"""The endpoint's state and rules: connections, members of rooms, and what happens to a frame and to an event.

A frame is read, judged and queued in one step without waiting, and an event is acknowledged and delivered in one step,
so no client ever sees half of a change.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Collection, Sequence
from typing import Any

from . import actions, envelope, metrics, push
from .buckets import Buckets
from .connection import Connection
from .counters import Counters
from .enrichment import Enrichment
from .envelope import Request
from .fan_out import FanOut
from .pipeline import Pipeline
from .policies import Policies
from .quiet import AtMost
from .refusal import Refused
from .settings import Settings
from .state import Asked, ConnectionRow, DeadLetter, Event, Store
from .store_writer import StoreWriter
from .subscription import Said, Subscription, Subscriptions
from .tokens import Identity


class Hub:
    """All connections of one endpoint process, and the path of every event."""

    log = logging.getLogger("squall.endpoint")

    def __init__(self, policies: Policies, store: Store, settings: Settings, process: str = "") -> None:
        self.policies = policies
        self.store = store
        self.process = process or secrets.token_hex(4)
        self.counters = Counters()
        self.connections: dict[str, Connection] = {}
        self.subscriptions = Subscriptions()
        self.processes = settings.processes
        self.buckets = Buckets(self)
        self.closed_for = ""
        self.fan_out = FanOut(self.counters, policies.deliver, policies.slice)
        self.pipeline = Pipeline(self, settings.shards, settings.queue)
        self.enrichment = Enrichment(self, settings.enricher)
        self.store_writer = StoreWriter(self, self.process, settings.ttl_s, settings.store_grace_s)
        self._rooms: dict[tuple[str, str], dict[Connection, None]] = {}
        self._refusals = AtMost(self.log, per_s=20)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the store and start the workers."""
        await self.store.open(self._heard, self._answer)
        self.pipeline.start()
        self.enrichment.start()
        self.store_writer.start()

    async def stop(self) -> None:
        """Finish what is queued and close the store."""
        await self.pipeline.stop()
        await self.enrichment.stop()
        await self.store_writer.stop()
        await self.store.close()

    def enter(self, connection: Connection) -> None:
        """Add an open connection."""
        self.connections[connection.id] = connection
        self.counters.connects += 1
        self.store_writer.changed(connection)

    def end(self, connection: Connection, *, clean: bool) -> None:
        """Handle the end of a connection; `clean` if the client closed it by a handshake. May be called twice."""
        connection.gone = True
        self.policies.ended(self, connection, clean)

    def forget(self, connection: Connection) -> None:
        """Remove a connection from every room and from the list."""
        self.leave_rooms(connection)
        if self.connections.pop(connection.id, None) is not None:
            self.store_writer.gone(connection)

    def leave_rooms(self, connection: Connection) -> None:
        """End all memberships."""
        for room in connection.rooms:
            self._remove(connection, room)
        connection.rooms.clear()

    def members(self, tenant: str, room: str) -> Collection[Connection]:
        """The members of a tenant's room in this process; empty for a room that does not exist."""
        return self._rooms.get((tenant, room), ())

    def rooms(self) -> Collection[tuple[str, str]]:
        """Every room that has a member in this process, as (tenant, room)."""
        return self._rooms.keys()

    def listed(self) -> list[dict[str, Any]]:
        """The connections of this process as `GET /connections` shows them."""
        return [connection.listed() for connection in self.connections.values()]

    async def everybody(self) -> list[ConnectionRow]:
        """The connections of all processes; our own as they are now.

        Raises:
            StoreDown: those of other processes cannot be read.
        """
        return [*map(self.store_writer.row, self.connections.values()), *await self.store.others()]

    async def everybody_listed(self) -> list[dict[str, Any]]:
        """The connections of all processes as `GET /connections` shows them.

        Raises:
            StoreDown: those of other processes cannot be read.
        """
        return [*self.listed(), *map(listed_row, await self.store.others())]

    async def member_counts(self, tenant: str) -> dict[str, int]:
        """How many members each room of a tenant has, over all processes; rooms with none are left out.

        Raises:
            StoreDown: those of other processes cannot be read.
        """
        counts = {room: len(members) for (owner, room), members in self._rooms.items() if owner == tenant}
        for row in await self.store.others():
            for room in row.rooms if row.tenant == tenant else ():
                counts[room] = counts.get(room, 0) + 1
        return counts

    def receive(self, connection: Connection, payload: bytes) -> None:
        """Handle one text message of a client, whatever it is."""
        now_s = time.monotonic()
        connection.active_s = now_s
        self.counters.messages += 1
        policies = self.policies
        whose = self.buckets.spend(connection, now_s)
        if whose:
            self.counters.throttled[whose] += 1
            policies.throttled(connection, payload)
            policies.violated(self, connection)
            return
        try:
            request = policies.read(payload)
            if not policies.may_act(connection.identity, request.action):
                raise Refused(403, "not switched on", request_id=request.id, room=request.room or None)
            actions.ACTIONS[request.action](self, connection, request)
        except Refused as refused:
            self.refuse(connection, refused)
            if refused.code == 400:
                policies.violated(self, connection)
        except Exception:
            self.log.exception("connection %s: a frame could not be handled", connection.id)
            policies.gateway_says(connection, "Internal server error")

    def refuse(self, connection: Connection, refused: Refused) -> None:
        """Answer a client's frame with an error."""
        self.counters.rejected[refused.code] += 1
        self._refusals.info("connection %s: %d %s %s", connection.id, refused.code, refused.message, refused.detail)
        if refused.by_gateway:
            self.policies.gateway_says(connection, refused.message)
        else:
            self.policies.reply(connection, envelope.error(refused))

    def join(self, connection: Connection, room: str) -> None:
        """Make a connection a member of a room."""
        key = (connection.identity.tenant, room)
        members = self._rooms.get(key)
        if members is None:
            members = self._rooms[key] = {}
            self.store_writer.entered(*key)
        members[connection] = None
        connection.rooms.add(room)
        self.store_writer.changed(connection)

    def leave(self, connection: Connection, room: str) -> None:
        """End a membership."""
        connection.rooms.discard(room)
        self._remove(connection, room)
        self.store_writer.changed(connection)

    async def post(self, identity: Identity, request: Request) -> Event:
        """Send a message by REST: the event with its place in the room.

        Raises:
            Refused: 403 without the right; 503 if it could not be stored (it is a dead letter then) or queued.
        """
        room = self.policies.room_of(identity, request.room)
        if not self.policies.may_publish(identity, room):
            raise Refused(403, "forbidden", request_id=request.id, room=request.room)
        kept: asyncio.Future[Event | None] = asyncio.get_running_loop().create_future()

        def done(event: Event | None) -> None:
            if not kept.done():
                kept.set_result(event)

        event = Event(identity.tenant, room, 0, request.id, identity.user, request.text, envelope.now_ms(), "")
        placed = await kept if self.pipeline.submit(event, done) else None
        if placed is None:
            raise Refused(503, "not accepted, try again later", request_id=request.id, room=request.room)
        return placed

    async def hand_on(self, event: Event) -> None:
        """Deliver an accepted event to its recipients in this process."""
        await self.policies.hand_on(self, event)

    def subscribe(self, tenant: str, room: str) -> Subscription:
        """Subscribe to the messages of a room from now on."""
        return self.subscriptions.add(tenant, room)

    async def history(self, tenant: str, room: str, after: int, limit: int) -> list[Said]:
        """The oldest messages of a room after a sequence number, as frames.

        Raises:
            StoreDown: they cannot be read.
        """
        policies = self.policies
        events = await self.store.history(tenant, room, after, limit)
        return [Said(event.seq, policies.encode(policies.message(event))) for event in events]

    async def replay(self, letter: DeadLetter) -> bool:
        """Process a dead letter once more; False if it failed again.

        One that was delivered, and for which only the enrichment failed, is enriched and not sent again.
        """
        if letter.enriching:
            self.enrichment.offer(letter.event)
            return True
        kept: asyncio.Future[Event | None] = asyncio.get_running_loop().create_future()
        if not self.pipeline.submit(letter.event._replace(seq=0), kept.set_result):
            await self.pipeline.bury([letter])
            return False
        return await kept is not None

    def ready(self) -> str:
        """Why this process cannot serve now; "" while it can."""
        return self.closed_for or self.store.failure

    def store_is_gone(self, failure: str) -> None:
        """The store has been down for too long: close every client with 1013 (try again later) and refuse new ones."""
        if not self.closed_for:
            self.log.error("every client is closed with 1013 until the store works again")
        self.closed_for = failure
        self.subscriptions.wake()
        for connection in tuple(self.connections.values()):
            connection.close(self.policies.close_code(1013), "store unavailable")
            self.end(connection, clean=True)

    def store_is_back(self) -> None:
        """Accept clients again."""
        self.closed_for = ""

    def later(self, work: "asyncio.Task[None]") -> None:
        """Keep a task alive until it has ended."""
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)

    def _remove(self, connection: Connection, room: str) -> None:
        key = (connection.identity.tenant, room)
        members = self._rooms.get(key)
        if members is not None:
            members.pop(connection, None)
            if not members:
                del self._rooms[key]

    async def _heard(self, events: Sequence[Event]) -> None:
        for event in events:
            await self.hand_on(event)

    def _answer(self, asked: Asked) -> bytes:
        return metrics.answer(self) if asked.verb == metrics.VERB else push.answer(self, asked)


def listed_row(row: ConnectionRow) -> dict[str, Any]:
    """A connection of another process as `GET /connections` shows it."""
    return {
        "connectionId": row.connection_id,
        "clientId": row.client_id,
        "userId": row.user,
        "tenant": row.tenant,
        "connectedAt": row.connected_ms,
        "rooms": list(row.rooms),
    }
