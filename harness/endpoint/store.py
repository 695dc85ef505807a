"""The connection table in SQLite, written by a thread in batches, off the hot path.

It must not know sockets. The subtle thing: what the endpoint answers about its connections comes from memory; the
table is what survives the process, so it may lag, and a write that fails is said in the log and by /ready.
"""

import logging
import queue
import sqlite3
import threading
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import UsageError

log = logging.getLogger("squall.endpoint")

_TABLE = """CREATE TABLE IF NOT EXISTS connections (
    connection_id TEXT PRIMARY KEY, client_id TEXT, user TEXT, tenant TEXT, connected_ms INTEGER, rooms TEXT)"""
_BATCH = 2000


class Row(NamedTuple):
    """One connection as it is stored; `rooms` is a space-separated list."""

    connection_id: str
    client_id: str
    user: str
    tenant: str
    connected_ms: int
    rooms: str


class Store:
    """The table. `path` is a file or `:memory:`; connections of a process that died are cleared."""

    def __init__(self, path: str) -> None:
        """Open it.

        Raises:
            UsageError: the file cannot be opened, is no database, or somebody else holds it locked.
        """
        self.failure = ""
        self._queue: queue.SimpleQueue[Row | str | None] = queue.SimpleQueue()
        try:
            self._database = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise UsageError(f"cannot open the store {path}: {error}") from None
        try:
            self._database.execute(_TABLE)
            self._database.execute("DELETE FROM connections")
        except sqlite3.Error as error:
            self._database.close()
            raise UsageError(f"cannot use the store {path}: {error}") from None
        self._thread = threading.Thread(target=self._write, name="store", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> None:
        """Insert or replace a connection; returns at once."""
        self._queue.put(row)

    def drop(self, connection_id: str) -> None:
        """Forget a connection; returns at once."""
        self._queue.put(connection_id)

    def close(self) -> None:
        """Write what is waiting, then close."""
        self._queue.put(None)
        self._thread.join()
        self._database.close()

    def _write(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            try:
                self._apply(item for item in batch if item is not None)
                self.failure = ""
            except sqlite3.Error as error:
                if not self.failure:
                    log.error("the store cannot be written: %s", error)
                self.failure = str(error)
            if None in batch:
                return

    def _apply(self, batch: Iterable[Row | str]) -> None:
        last = {item.connection_id if isinstance(item, Row) else item: item for item in batch}
        with self._database:
            self._database.execute("BEGIN")
            for key, item in last.items():
                if isinstance(item, Row):
                    self._database.execute("REPLACE INTO connections VALUES (?, ?, ?, ?, ?, ?)", item)
                else:
                    self._database.execute("DELETE FROM connections WHERE connection_id = ?", (key,))
