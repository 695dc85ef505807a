"""The parts that an endpoint is built from: each one decision that real endpoints get wrong.

The honest parts are here; a defect (`defects.py`) is a function from parts to parts and nothing else knows of it.
The subtle thing: a part is called for what it decides, so a wrapper can lose, delay or bend it and the code around
stays the honest one.
"""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from . import envelope, tokens
from .connection import Connection
from .envelope import Request
from .refusal import Refused
from .schemas import load_schemas
from .settings import Settings
from .throttle import Bucket

if TYPE_CHECKING:
    from .hub import Hub

Frame = Mapping[str, Any]

ADMIN_ROOMS = "admin."
"""Rooms whose names begin so are for the role admin."""


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
    may_join: Callable[[tokens.Identity, str], bool]
    """Whether somebody may become a member of a room."""
    recipients: Callable[["Hub", Connection, str], Collection[Connection]]
    """Who gets a message of this sender to this room."""
    deliver: Callable[[Connection, bytes], None]
    """Hand one message, as wire bytes, to one recipient."""
    reply: Callable[[Connection, Frame], None]
    """Answer the one who asked: ack, pong or error."""
    encode: Callable[[Frame], bytes]
    """A frame as wire bytes."""
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
        may_join=may_join,
        recipients=members_of_room,
        deliver=Connection.write,
        reply=lambda connection, frame: connection.write(envelope.encode(frame)),
        encode=envelope.encode,
        pong=note_pong,
        silent=give_up,
        ended=lambda hub, connection, _clean: hub.forget(connection),
        close_code=lambda code: code,
    )


def may_join(identity: tokens.Identity, room: str) -> bool:
    """Any member may join any room of its tenant but the admins' ones."""
    return tokens.ADMIN in identity.roles or not room.startswith(ADMIN_ROOMS)


def members_of_room(hub: "Hub", sender: Connection, room: str) -> Collection[Connection]:
    """The members of the sender's tenant's room; a room of the same name elsewhere is another room."""
    return hub.members(sender.identity.tenant, room)


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
