"""The state in SQLite: the embedded default, a file or memory, for one process.

A file is used by one thread of its own only, because another program may hold it locked. Memory never waits and is used
directly, which saves two thread switches per message.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..errors import UsageError
from .state import Answer, Asked, ConnectionRow, DeadLetter, Event, Heard, Room, StoreDown

LOCKED_S = 1.0
"""How long a write waits for another program's lock before it counts as failed."""
TRIM_EVERY = 64

_TABLES = """
CREATE TABLE IF NOT EXISTS connections (connection_id TEXT PRIMARY KEY, client_id TEXT, user TEXT, tenant TEXT,
    process TEXT, connected_ms INTEGER, active_ms INTEGER, expires_ms INTEGER, address TEXT, agent TEXT, rooms TEXT);
CREATE TABLE IF NOT EXISTS rooms (tenant TEXT, room TEXT, owner TEXT, last INTEGER, PRIMARY KEY (tenant, room))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (tenant TEXT, room TEXT, seq INTEGER, id TEXT, sender TEXT, text TEXT,
    timestamp_ms INTEGER, origin TEXT, PRIMARY KEY (tenant, room, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letters (letter INTEGER PRIMARY KEY AUTOINCREMENT, reason TEXT, attempts INTEGER,
    at_ms INTEGER, enriching INTEGER, tenant TEXT, room TEXT, seq INTEGER, id TEXT, sender TEXT, text TEXT,
    timestamp_ms INTEGER, origin TEXT);
CREATE TABLE IF NOT EXISTS enriched (tenant TEXT, room TEXT, seq INTEGER, found BLOB,
    PRIMARY KEY (tenant, room, seq)) WITHOUT ROWID;
"""
_VERSION = 2
_EVENT = "tenant, room, seq, id, sender, text, timestamp_ms, origin"

Value = TypeVar("Value")


class SqliteStore:
    """A `Store`. `path` is a file or `:memory:`; `history` how many events of a room are kept."""

    carries = False

    def __init__(self, path: str, history: int) -> None:
        """Open it; the connections of a process that was here before are cleared.

        Raises:
            UsageError: the file cannot be opened, is not a database of ours, or is locked.
        """
        self.failure = ""
        self._history = history
        self._thread = None if path == ":memory:" else ThreadPoolExecutor(1, thread_name_prefix="store")
        try:
            self._database = sqlite3.connect(path, timeout=LOCKED_S, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise UsageError(f"cannot open the store {path}: {error}") from None
        try:
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and version != _VERSION:
                raise UsageError(f"cannot use the store {path}: it was made by another program or another version")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={_VERSION}; COMMIT;")
            self._database.execute("DELETE FROM connections")
        except sqlite3.Error as error:
            self._database.close()
            raise UsageError(f"cannot use the store {path}: {error}") from None
        except UsageError:
            self._database.close()
            raise

    async def open(self, heard: Heard, answer: Answer) -> None:
        """Nothing to open: there is no other process."""

    async def close(self) -> None:
        """Close the file."""
        if self._thread is not None:
            self._thread.shutdown()
        self._database.close()

    async def put(self, rows: Sequence[ConnectionRow]) -> None:
        """Insert or replace connections."""
        values = [(*row[:-1], " ".join(row.rooms)) for row in rows]

        def work(database: sqlite3.Connection) -> None:
            database.executemany("REPLACE INTO connections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

        await self._do(work)

    async def drop(self, connection_ids: Sequence[str]) -> None:
        """Forget connections."""
        values = [(connection_id,) for connection_id in connection_ids]

        def work(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM connections WHERE connection_id = ?", values)

        await self._do(work)

    async def others(self) -> list[ConnectionRow]:
        """Always empty: this is the only process."""
        return []

    async def beat(self, now_ms: int) -> bool:
        """Delete rows that have expired."""
        text = "DELETE FROM connections WHERE expires_ms < ?"
        await self._do(lambda database: database.execute(text, (now_ms,)))
        return False

    async def lease(self, name: str, per_s: float, burst: int, left: int, kept: int, wanted: int) -> int:
        """Not needed: a single process has its buckets in memory."""
        raise NotImplementedError

    async def ask(self, asked: Asked) -> bytes:
        """Always empty: no other process could hold a connection."""
        return b""

    async def ask_all(self, asked: Asked) -> dict[str, bytes]:
        """Always empty: this is the only process."""
        return {}

    async def create_room(self, tenant: str, room: str, owner: str) -> bool:
        """Make a room."""

        def work(database: sqlite3.Connection) -> bool:
            return (
                database.execute("INSERT OR IGNORE INTO rooms VALUES (?, ?, ?, 0)", (tenant, room, owner)).rowcount > 0
            )

        return await self._do(work)

    async def room(self, tenant: str, room: str) -> Room | None:
        """A room."""
        text = "SELECT room, owner, last FROM rooms WHERE tenant = ? AND room = ?"
        found = await self._do(lambda database: database.execute(text, (tenant, room)).fetchone())
        return Room(*found) if found else None

    async def rooms(self, tenant: str, after: str, limit: int) -> list[Room]:
        """A tenant's rooms by name."""
        text = "SELECT room, owner, last FROM rooms WHERE tenant = ? AND room > ? ORDER BY room LIMIT ?"
        found = await self._do(lambda database: database.execute(text, (tenant, after, limit)).fetchall())
        return [Room(*row) for row in found]

    async def append(self, events: Sequence[Event], batch: str) -> list[int]:
        """Store events in order, in one transaction."""
        history = self._history

        def work(database: sqlite3.Connection) -> list[int]:
            seqs: list[int] = []
            last: dict[tuple[str, str], int] = {}
            for event in events:
                key = event[:2]
                if key not in last:
                    found = database.execute("SELECT last FROM rooms WHERE tenant = ? AND room = ?", key).fetchone()
                    last[key] = found[0] if found else 0
                last[key] += 1
                seqs.append(last[key])
            database.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(*event[:2], seq, *event[3:]) for event, seq in zip(events, seqs, strict=True)],
            )
            database.executemany(
                "INSERT INTO rooms VALUES (?, ?, '', ?) ON CONFLICT DO UPDATE SET last = excluded.last",
                [(*key, seq) for key, seq in last.items()],
            )
            for event, seq in zip(events, seqs, strict=True):
                if seq % TRIM_EVERY == 0 and seq > history:
                    for table in ("events", "enriched"):
                        database.execute(
                            f"DELETE FROM {table} WHERE tenant = ? AND room = ? AND seq <= ?",
                            (*event[:2], seq - history),
                        )
            return seqs

        return await self._do(work)

    async def settle(self) -> None:
        """Nothing to wait for: this process delivers an event in the step in which it acknowledges it."""

    async def history(self, tenant: str, room: str, after: int, limit: int) -> list[Event]:
        """The oldest events after a sequence number."""
        text = f"SELECT {_EVENT} FROM events WHERE tenant = ? AND room = ? AND seq > ? ORDER BY seq LIMIT ?"
        found = await self._do(lambda database: database.execute(text, (tenant, room, after, limit)).fetchall())
        return [Event(*row) for row in found]

    async def last(self, tenant: str, room: str) -> int:
        """The sequence number of a room's last event."""
        found = await self.room(tenant, room)
        return found.last if found else 0

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters."""
        text = f"INSERT INTO dead_letters (reason, attempts, at_ms, enriching, {_EVENT}) VALUES (?{', ?' * 11})"
        values = [(each.reason, each.attempts, each.at_ms, each.enriching, *each.event) for each in letters]
        await self._do(lambda database: database.executemany(text, values))

    async def dead_letters(self, after: int, limit: int) -> list[DeadLetter]:
        """The oldest dead letters after an id."""
        text = (
            f"SELECT letter, reason, attempts, at_ms, enriching, {_EVENT} FROM dead_letters"
            " WHERE letter > ? ORDER BY letter LIMIT ?"
        )
        found = await self._do(lambda database: database.execute(text, (after, limit)).fetchall())
        return [_letter(row) for row in found]

    async def exhume(self, id: int) -> DeadLetter | None:
        """Take a dead letter out."""
        text = (
            f"DELETE FROM dead_letters WHERE letter = ? RETURNING letter, reason, attempts, at_ms, enriching, {_EVENT}"
        )
        found = await self._do(lambda database: database.execute(text, (id,)).fetchone())
        return _letter(found) if found else None

    async def enrich(self, event: Event, found: bytes) -> None:
        """Store what the enrichment found."""
        values = (*event[:3], found)
        await self._do(lambda database: database.execute("REPLACE INTO enriched VALUES (?, ?, ?, ?)", values))

    async def enriched(self, tenant: str, room: str, seq: int) -> bytes | None:
        """What the enrichment found."""
        text = "SELECT found FROM enriched WHERE tenant = ? AND room = ? AND seq = ?"
        found = await self._do(lambda database: database.execute(text, (tenant, room, seq)).fetchone())
        return found[0] if found else None

    async def _do(self, work: Callable[[sqlite3.Connection], Value]) -> Value:
        """Do work in one transaction.

        Raises:
            StoreDown: it failed and was rolled back.
        """
        if self._thread is None:
            return self._transact(work)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    def _transact(self, work: Callable[[sqlite3.Connection], Value]) -> Value:
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            with database:
                value = work(database)
        except sqlite3.Error as error:
            self.failure = str(error)
            raise StoreDown(str(error)) from None
        self.failure = ""
        return value


def _letter(row: tuple[int, str, int, int, int, *tuple[str | int, ...]]) -> DeadLetter:
    letter, reason, attempts, at_ms, enriching, *event = row
    return DeadLetter(letter, Event(*event), reason, attempts, at_ms, bool(enriching))  # type: ignore[arg-type]
