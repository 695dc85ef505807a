"""What the endpoint keeps outside its compute, as types and one protocol: connections, rooms, history, dead letters.

`sqlite_store.py` and `redis_store.py` implement it. A store that *carries* passes every accepted event to all
processes, in one order; with one that does not, a single process delivers its events itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol


class StoreDown(Exception):
    """The store cannot be reached or written at the moment. The text is for the log, never for a client."""


class Event(NamedTuple):
    """One accepted message of a room. `seq` is its place there, from 1; 0 until it has one.

    `id` is the request's, `sender` a user, `origin` the id of the sender's connection, "" for REST;
    `timestamp_ms` is when it was accepted, in ms since 1970.
    """

    tenant: str
    room: str
    seq: int
    id: str
    sender: str
    text: str
    timestamp_ms: int
    origin: str


class ConnectionRow(NamedTuple):
    """One connection as every process of the endpoint sees it; times in ms since 1970.

    `process` is its process; the row is invalid after `expires_ms`, or once that process is gone.
    """

    connection_id: str
    client_id: str
    user: str
    tenant: str
    process: str
    connected_ms: int
    active_ms: int
    expires_ms: int
    address: str
    agent: str
    rooms: tuple[str, ...]


class Room(NamedTuple):
    """A room: its owner ("" if its first message created it) and the sequence number of its last message."""

    room: str
    owner: str
    last: int


class DeadLetter(NamedTuple):
    """An event that could not be processed, why, after how many attempts, and when (ms since 1970).

    `id` orders dead letters by age; 0 until it has one. `enriching` if it was accepted and delivered, and only
    the enrichment failed.
    """

    id: int
    event: Event
    reason: str
    attempts: int
    at_ms: int
    enriching: bool = False


class Asked(NamedTuple):
    """A question from one process to another: push, describe or disconnect a connection; or its figures."""

    verb: str
    connection_id: str
    payload: bytes


Heard = Callable[[Sequence[Event]], Awaitable[None]]
Answer = Callable[[Asked], bytes]


class Store(Protocol):
    """Every method raises StoreDown if the store cannot carry it out."""

    carries: bool
    """Whether accepted events come back through `heard`, those of other processes too."""

    @property
    def failure(self) -> str:
        """Why the store does not work now; "" while it does."""

    async def open(self, heard: Heard, answer: Answer) -> None:
        """Begin: `heard` gets the events of all processes in order, `answer` the questions of other processes."""

    async def close(self) -> None:
        """Write what is waiting and close."""

    async def put(self, rows: Sequence[ConnectionRow]) -> None:
        """Insert or replace connections of this process."""

    async def drop(self, connection_ids: Sequence[str]) -> None:
        """Forget connections of this process."""

    async def others(self) -> list[ConnectionRow]:
        """The connections of all other live processes."""

    async def beat(self, now_ms: int) -> bool:
        """Mark this process as alive; delete what dead ones left and what has expired.

        Returns:
            True if the store has forgotten this process meanwhile, so that its rows must be put again.
        """

    async def lease(self, name: str, per_s: float, burst: int, left: int, kept: int, wanted: int) -> int:
        """Take up to `wanted` tokens of a bucket that all processes share.

        Args:
            name: the bucket.
            per_s: its rate in tokens per second.
            burst: its size in tokens.
            left: unspent tokens that are returned.
            kept: tokens that are still held.
            wanted: tokens asked for.

        Returns:
            How many tokens were granted.
        """

    async def ask(self, asked: Asked) -> bytes:
        """Ask the process that holds a connection; b"" if there is none or it did not answer in time."""

    async def ask_all(self, asked: Asked) -> dict[str, bytes]:
        """Ask all other live processes; the answers by process, without those that came too late."""

    async def create_room(self, tenant: str, room: str, owner: str) -> bool:
        """Create a room; False if it existed."""

    async def room(self, tenant: str, room: str) -> Room | None:
        """A room, or None for one that nobody has created or written to."""

    async def rooms(self, tenant: str, after: str, limit: int) -> list[Room]:
        """A tenant's rooms by name, at most `limit`, beginning after a name."""

    async def append(self, events: Sequence[Event], batch: str) -> list[int]:
        """Store events in order, each at its room's end; returns their sequence numbers.

        `batch` names this attempt and its retries, so that nothing is stored twice.
        """

    async def settle(self) -> None:
        """Return once everything that any process accepted before the call has gone through `heard`."""

    async def history(self, tenant: str, room: str, after: int, limit: int) -> list[Event]:
        """The oldest events of a room after a sequence number, at most `limit`."""

    async def last(self, tenant: str, room: str) -> int:
        """The sequence number of a room's last event; 0 for none."""

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters, each under a new id."""

    async def dead_letters(self, after: int, limit: int) -> list[DeadLetter]:
        """The oldest dead letters after an id, at most `limit`."""

    async def exhume(self, id: int) -> DeadLetter | None:
        """Take a dead letter out; None if there is none with that id any more."""

    async def enrich(self, event: Event, found: bytes) -> None:
        """Store what the enrichment found about an event, as JSON."""

    async def enriched(self, tenant: str, room: str, seq: int) -> bytes | None:
        """What the enrichment found about an event; None for nothing."""
