"""Writes the connections and rooms of this process to the store as they change, in batches off the live path.

Questions about our own connections are answered from memory. The rows in the store are for the other processes and for
anybody who looks into it; they may lag by one flush, and what the store did not take is kept for the next one.
"""

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from .connection import Connection
from .ending import end
from .state import ConnectionRow, StoreDown

if TYPE_CHECKING:
    from .hub import Hub

log = logging.getLogger("squall.endpoint")

FLUSH_S = 0.1
BEAT_S = 1.0
NEVER_MS = 1 << 53


class StoreWriter:
    """Writes this process's rows.

    Args:
        hub: whose connections they are.
        process: the name of this process.
        ttl_s: how long a row is valid once it is written; 0: forever.
        grace_s: how long the store may be down before clients are closed.
    """

    def __init__(self, hub: "Hub", process: str, ttl_s: float, grace_s: float) -> None:
        self._hub = hub
        self._process = process
        self._ttl_s = ttl_s
        self._grace_s = grace_s
        self._changed: dict[str, Connection | None] = {}
        self._rooms: set[tuple[str, str]] = set()
        self._refresh_s = time.monotonic() + ttl_s / 4
        self._beat_s = 0.0
        self._task: asyncio.Task[None] | None = None
        self._failed_s: float | None = None

    def changed(self, connection: Connection) -> None:
        """Note that a connection is new or that its rooms changed."""
        self._changed[connection.id] = connection

    def gone(self, connection: Connection) -> None:
        """Note that a connection has ended."""
        self._changed[connection.id] = None

    def entered(self, tenant: str, room: str) -> None:
        """Note that a room which was empty in this process has a member."""
        self._rooms.add((tenant, room))

    def start(self) -> None:
        """Start writing."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what is waiting, and stop."""
        await end(self._task)
        with contextlib.suppress(StoreDown):
            await self.flush()

    async def flush(self) -> None:
        """Write what has changed.

        Raises:
            StoreDown: it could not be written and is kept.
        """
        changed, self._changed = self._changed, {}
        rooms, self._rooms = self._rooms, set()
        try:
            put = [self.row(connection) for connection in changed.values() if connection is not None]
            drop = [connection_id for connection_id, connection in changed.items() if connection is None]
            if put:
                await self._hub.store.put(put)
            if drop:
                await self._hub.store.drop(drop)
            for tenant, room in tuple(rooms):
                await self._hub.store.create_room(tenant, room, "")
        except StoreDown:
            self._changed = changed | self._changed
            self._rooms |= rooms
            raise

    def row(self, connection: Connection) -> ConnectionRow:
        """A connection as the store keeps it."""
        now_s, wall_ms = time.monotonic(), time.time_ns() // 1_000_000
        identity = connection.identity
        return ConnectionRow(
            connection.id,
            connection.client,
            identity.user,
            identity.tenant,
            self._process,
            connection.connected_ms,
            max(connection.connected_ms, wall_ms - int((now_s - connection.active_s) * 1000)),
            wall_ms + int(self._ttl_s * 1000) if self._ttl_s else NEVER_MS,
            connection.address,
            connection.agent,
            tuple(sorted(connection.rooms)),
        )

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            now_s = time.monotonic()
            failure = ""
            try:
                await self._once(now_s)
                failure = self._hub.store.failure
            except StoreDown as error:
                failure = str(error)
            except Exception:
                log.exception("the rows of this process could not be written")
            self._judge(failure, now_s)

    def _judge(self, failure: str, now_s: float) -> None:
        """Log once that the store fails and once that it works again; after the grace time, close the clients."""
        if not failure:
            if self._failed_s is not None:
                log.info("the store works again")
                self._hub.store_is_back()
            self._failed_s = None
            return
        if self._failed_s is None:
            log.error("the store does not work: %s", failure)
            self._failed_s = now_s
        if now_s >= self._failed_s + self._grace_s:
            self._hub.store_is_gone(failure)

    async def _once(self, now_s: float) -> None:
        if self._ttl_s and now_s >= self._refresh_s:
            self._refresh_s = now_s + self._ttl_s / 4
            self._changed = {**self._hub.connections, **self._changed}
        await self.flush()
        if now_s >= self._beat_s:
            self._beat_s = now_s + BEAT_S
            if await self._hub.store.beat(time.time_ns() // 1_000_000):
                self._changed = {**self._hub.connections, **self._changed}
            await self._hub.pipeline.bury_waiting()
