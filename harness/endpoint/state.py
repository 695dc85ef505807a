"""What the endpoint keeps outside its compute, as types and one protocol: connections, rooms, history, dead letters.

It must not know where it is kept (`sqlite_store.py`, `redis_store.py`). The subtle thing: a store that *carries* hands
every accepted event back to all processes, in one order; one that does not is for a single process, which then
hands the event on itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol


class StoreDown(Exception):
    """The store cannot be reached or written just now. The text is for the log, never for a client."""


class Event(NamedTuple):
    """One accepted message of a room. `seq` is its place there, from 1; 0 while it has none.

    `id` is the request's, `sender` a user, `origin` the id of the connection it came by, "" for REST;
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

    `process` is whose it is; the row counts for nothing after `expires_ms`, or once that process is gone.
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
    """A room: who made it ("" for one made by its first message) and the sequence number of its last message."""

    room: str
    owner: str
    last: int


class DeadLetter(NamedTuple):
    """An event that could not be handed on, why, after how many attempts, and when (ms since 1970).

    `id` orders dead letters by age; 0 while it has none. `enriching` when it was accepted and delivered, and only
    the enrichment failed.
    """

    id: int
    event: Event
    reason: str
    attempts: int
    at_ms: int
    enriching: bool = False


class Asked(NamedTuple):
    """Something that one process asks of another: push, describe or disconnect a connection; or its figures."""

    verb: str
    connection_id: str
    payload: bytes


Heard = Callable[[Sequence[Event]], Awaitable[None]]
Answer = Callable[[Asked], bytes]


class Store(Protocol):
    """All methods raise StoreDown when the store does not do as asked."""

    carries: bool
    """Whether accepted events come back through `heard`, those of other processes too."""

    @property
    def failure(self) -> str:
        """Why the store does not work now; "" while it does."""

    async def open(self, heard: Heard, answer: Answer) -> None:
        """Begin: `heard` gets events of all processes in order, `answer` what others ask of this process."""

    async def close(self) -> None:
        """Write what is waiting and let go."""

    async def put(self, rows: Sequence[ConnectionRow]) -> None:
        """Insert or replace connections of this process."""

    async def drop(self, connection_ids: Sequence[str]) -> None:
        """Forget connections of this process."""

    async def others(self) -> list[ConnectionRow]:
        """The connections of all other processes that live."""

    async def beat(self, now_ms: int) -> bool:
        """Say that this process lives; clear what dead ones left and what has expired.

        True when the store has forgotten this process meanwhile, so that its rows must be put again.
        """

    async def lease(self, name: str, per_s: float, burst: int, left: int, kept: int, wanted: int) -> int:
        """Get up to `wanted` tokens of a bucket that all processes share; how many were got.

        `left` unspent ones are given back, `kept` ones are still held.
        """

    async def ask(self, asked: Asked) -> bytes:
        """Ask the process that holds a connection; b"" when nobody does or it did not answer in time."""

    async def ask_all(self, asked: Asked) -> dict[str, bytes]:
        """Ask all other processes that live; what they said, by process, without those that did not in time."""

    async def create_room(self, tenant: str, room: str, owner: str) -> bool:
        """Make a room; False when it was there."""

    async def room(self, tenant: str, room: str) -> Room | None:
        """A room, or None for one that nobody made or wrote to."""

    async def rooms(self, tenant: str, after: str, limit: int) -> list[Room]:
        """A tenant's rooms by name, those after a name, at most `limit`."""

    async def append(self, events: Sequence[Event], batch: str) -> list[int]:
        """Keep events in order, each at its room's end; their sequence numbers.

        `batch` names this attempt and its repetitions: what was kept already is not kept twice.
        """

    async def settle(self) -> None:
        """Return once everything that anybody accepted before the call has gone through `heard`."""

    async def history(self, tenant: str, room: str, after: int, limit: int) -> list[Event]:
        """The oldest events of a room after a sequence number, at most `limit`."""

    async def last(self, tenant: str, room: str) -> int:
        """The sequence number of a room's last event; 0 for none."""

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep dead letters, each under a new id."""

    async def dead_letters(self, after: int, limit: int) -> list[DeadLetter]:
        """The oldest dead letters after an id, at most `limit`."""

    async def exhume(self, id: int) -> DeadLetter | None:
        """Take a dead letter out; None when there is none of that id, or somebody was faster."""

    async def enrich(self, event: Event, found: bytes) -> None:
        """Keep what the enrichment found about an event, as JSON."""

    async def enriched(self, tenant: str, room: str, seq: int) -> bytes | None:
        """What the enrichment found about an event; None for nothing."""
