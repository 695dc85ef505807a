"""The parts that an endpoint is built from: each one decision that real endpoints get wrong.

The honest parts are here; a defect (`defects.py`) is a function from parts to parts and nothing else knows of it.
The subtle thing: a part is called for what it decides, so a wrapper can lose, delay or bend it and the code around
stays the honest one.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import envelope, fan_out, pipeline, push, rights, tokens
from .connection import Connection
from .envelope import Request
from .refusal import Refused
from .schemas import load_schemas
from .settings import Settings
from .state import DeadLetter, Event, Store
from .throttle import Bucket

if TYPE_CHECKING:
    from .hub import Hub

Frame = Mapping[str, Any]


class Parts(NamedTuple):
    """What an endpoint decides, one callable each."""

    identify: Callable[[str | None], tokens.Identity]
    """A token (None: there was none) to who it speaks for; refuses with 401."""
    read: Callable[[bytes], Request]
    """A client's frame to a valid request; refuses with 400."""
    bucket: Callable[[float], Bucket]
    """A new connection's bucket, at a monotonic time in seconds."""
    throttled: Callable[[Connection, bytes], None]
    """What happens to a frame over the limit."""
    room_of: Callable[[tokens.Identity, str], str]
    """The room of somebody's own tenant that is meant by a name; refuses with 403."""
    may_join: Callable[[tokens.Identity, str], bool]
    """Whether somebody may be in a room and read it."""
    may_publish: Callable[[tokens.Identity, str], bool]
    """Whether somebody may speak in a room."""
    needs_membership: Callable[[str], bool]
    """Whether only members may speak in a room by their socket."""
    queued: Callable[[pipeline.Job], None]
    """An event is accepted into its queue; nothing is kept yet."""
    shard: Callable[[Event, int], int]
    """Which of so many queues an event waits in."""
    persist: Callable[[Store, Sequence[Event], str], Awaitable[list[int]]]
    """Keep a batch of events under its name; their places in their rooms."""
    acknowledge: Callable[[pipeline.Job, Event], None]
    """An event is kept: tell its sender."""
    bury: Callable[[Store, Sequence[DeadLetter]], Awaitable[None]]
    """Keep dead letters."""
    hand_on: Callable[["Hub", Event], Awaitable[None]]
    """Give an accepted event to everybody here who is to have it; what comes next in its queue waits for this."""
    slice: int
    """How many members of a giant room are written to before others get their turn."""
    recipients: Callable[["Hub", Event], Collection[Connection]]
    """Who gets an event."""
    message: Callable[[Event], Frame]
    """An event as the frame that recipients get."""
    deliver: Callable[[Connection, bytes], None]
    """Hand one message, as wire bytes, to one recipient."""
    push: Callable[["Hub", str, bytes], push.Pushed]
    """Push bytes to a connection of this process by its id."""
    reply: Callable[[Connection, Frame], None]
    """Answer the one who asked: ack, pong or error."""
    encode: Callable[[Frame], bytes]
    """A message as JSON text, once for all who get it."""
    pong: Callable[[Connection, float], None]
    """A pong came from a client, at a monotonic time in seconds."""
    silent: Callable[["Hub", Connection], None]
    """A client has not answered a ping in time."""
    ended: Callable[["Hub", Connection, bool], None]
    """A connection is over; True when the client closed it by a handshake."""
    close_code: Callable[[int], int]
    """The code that goes on the wire for the one that is meant."""


def honest_parts(settings: Settings, secret: str) -> Parts:
    """The parts of an endpoint that keeps its contract.

    Raises:
        UsageError: the contract's schemas are missing.
    """
    schemas = load_schemas()
    return Parts(
        identify=lambda token: tokens.check(secret, token),
        read=lambda payload: envelope.read(payload, schemas),
        bucket=lambda now_s: Bucket(settings.throttle_per_s, settings.throttle_burst, now_s),
        throttled=refuse_throttled,
        room_of=rights.room_of,
        may_join=rights.may_join,
        may_publish=rights.may_publish,
        needs_membership=rights.needs_membership,
        queued=lambda _job: None,
        shard=pipeline.shard_of,
        persist=lambda store, events, batch: store.append(events, batch),
        acknowledge=pipeline.acknowledge,
        bury=lambda store, letters: store.bury(letters),
        hand_on=fan_out.hand_on,
        slice=fan_out.SLICE,
        recipients=members_of_room,
        message=envelope.message,
        deliver=Connection.write,
        push=push.push_here,
        reply=lambda connection, frame: connection.write(envelope.encode(frame)),
        encode=envelope.text,
        pong=note_pong,
        silent=give_up,
        ended=lambda hub, connection, _clean: hub.forget(connection),
        close_code=lambda code: code,
    )


def members_of_room(hub: "Hub", event: Event) -> Collection[Connection]:
    """The members of the event's tenant's room; a room of the same name elsewhere is another room."""
    return hub.members(event.tenant, event.room)


def note_pong(connection: Connection, now_s: float) -> None:
    """Remember the sign of life."""
    connection.ponged_s = now_s


def give_up(hub: "Hub", connection: Connection) -> None:
    """Cut a silent client and take it off the table."""
    hub.log.info("connection %s does not answer pings: cut", connection.id)
    connection.cut()
    hub.counters.stale_cleaned += 1
    hub.end(connection, clean=False)


def refuse_throttled(connection: Connection, payload: bytes) -> None:
    """Answer 429 with the request's id where it can be read cheaply."""
    refused = Refused(429, "too many requests", request_id=envelope.salvage_id(payload))
    connection.write(envelope.encode(envelope.error(refused)))
