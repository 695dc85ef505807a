"""The policies that an endpoint is built from: each is one decision that real endpoints get wrong.

The correct policies are here; a defect (`defects/`) is a function from policies to policies, and no other code knows of
it. Each policy is called at the moment of its decision, so that a defect wraps one callable and leaves the code around
it as it is.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import authorizer, envelope, fan_out, limits, pipeline, push, rights, tokens
from .buckets import shared
from .connection import Connection
from .envelope import Request
from .refusal import Refused
from .routing import Routes, read_routes
from .schemas import ACTIONS, load_schemas
from .settings import Settings
from .state import DeadLetter, Event, Store
from .throttle import Bucket, Limit

if TYPE_CHECKING:
    from .hub import Hub

Frame = Mapping[str, Any]
TOKEN_EXPIRED = 4401
"""The close code for a connection whose token has expired."""


class Policies(NamedTuple):
    """What an endpoint decides, one callable each."""

    identify: Callable[[str | None], tokens.Identity]
    """A token (None: there was none) to who it speaks for; refuses with 401."""
    authorize: authorizer.Authorize
    """A handshake to who connects, or calls by REST; refuses with 401, 403 or 502."""
    read: Callable[[bytes], Request]
    """A client's frame to a valid request; refuses with 400."""
    bucket: Callable[[float], Bucket]
    """A new connection's bucket, at a monotonic time in seconds."""
    tenant_bucket: Callable[["Hub", str], Limit]
    """What all connections of a tenant share."""
    endpoint_bucket: Callable[["Hub"], Limit]
    """What all connections and pushes share."""
    connect_bucket: Callable[[float], Limit]
    """What new connections are measured against, made at a monotonic time in seconds."""
    violated: Callable[["Hub", Connection], None]
    """A client sent something over a limit or malformed, and was told."""
    throttled: Callable[[Connection, bytes], None]
    """What happens to a frame over the limit."""
    may_act: Callable[[tokens.Identity, str], bool]
    """Whether an action is switched on for somebody."""
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
    overflow: Callable[["Hub", Connection], None]
    """More waits to be sent to a client than may."""
    deliver: Callable[[Connection, bytes], None]
    """Hand one message, as wire bytes, to one recipient."""
    push: Callable[["Hub", str, bytes], push.Pushed]
    """Push bytes to a connection of this process by its id."""
    reply: Callable[[Connection, Frame], None]
    """Answer the one who asked: ack, pong or error."""
    encode: Callable[[Frame], bytes]
    """A message as JSON text, once for all who get it."""
    gateway_says: Callable[[Connection, str], None]
    """Tell a client what the gateway itself refuses."""
    answer_ping: Callable[[Connection, bytes], None]
    """A client pinged: send this pong, as wire bytes."""
    pong: Callable[[Connection, float], None]
    """A pong came from a client, at a monotonic time in seconds."""
    silent: Callable[["Hub", Connection], None]
    """A client has not answered a ping in time."""
    expired: Callable[["Hub", Connection], None]
    """A client has given no sign of life for the whole time to live."""
    outlived: Callable[["Hub", Connection], None]
    """The token of a connection has expired."""
    ended: Callable[["Hub", Connection, bool], None]
    """A connection is over; True when the client closed it by a handshake."""
    close_code: Callable[[int], int]
    """The code that goes on the wire for the one that is meant."""


def honest_policies(settings: Settings, verifier: tokens.Verifier) -> Policies:
    """The policies of an endpoint that keeps its contract.

    Raises:
        UsageError: the contract's schemas are missing, or a route or the authoriser is not as it should be.
    """
    schemas = load_schemas()
    routes = Routes(
        settings.route_selection, read_routes(settings.route, ACTIONS), default=not settings.no_default_route
    )
    features = rights.read_features(settings.require_feature, ACTIONS)

    def identify(token: str | None) -> tokens.Identity:
        return tokens.check(verifier, token)

    return Policies(
        identify=identify,
        authorize=authorizer.custom(settings.authorizer) if settings.authorizer else authorizer.by_token(identify),
        read=lambda payload: envelope.read(payload, schemas, routes),
        may_act=lambda identity, action: rights.may_act(identity, action, features),
        bucket=lambda now_s: Bucket(settings.throttle_per_s, settings.throttle_burst, now_s),
        tenant_bucket=lambda hub, tenant: shared(hub, f"tenant {tenant}", settings.tenant_per_s, settings.tenant_burst),
        endpoint_bucket=lambda hub: shared(hub, "endpoint", settings.endpoint_per_s, settings.endpoint_burst),
        connect_bucket=lambda now_s: limits.connects(settings.connects_per_s, settings.connects_burst, now_s),
        violated=limits.violations(settings.max_violations),
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
        overflow=limits.OVERFLOW[settings.slow_consumer],
        deliver=Connection.write,
        push=push.push_here,
        reply=lambda connection, frame: connection.write(envelope.encode(frame)),
        encode=envelope.text,
        gateway_says=gateway_says,
        answer_ping=Connection.write,
        pong=note_pong,
        silent=give_up,
        expired=sweep,
        outlived=close_expired,
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


def close_expired(hub: "Hub", connection: Connection) -> None:
    """Close a connection whose token has expired, and take it off the table."""
    connection.close(hub.policies.close_code(TOKEN_EXPIRED), "the token has expired")
    hub.end(connection, clean=True)


def sweep(hub: "Hub", connection: Connection) -> None:
    """Cut a client that nobody has heard of, and take it off the table."""
    hub.log.info("connection %s has outlived its time to live: cut", connection.id)
    connection.cut("no sign of life")
    hub.counters.stale_cleaned += 1
    hub.end(connection, clean=False)


def refuse_throttled(connection: Connection, payload: bytes) -> None:
    """Answer 429 with the request's id where it can be read cheaply."""
    refused = Refused(429, "too many requests", request_id=envelope.salvage_id(payload))
    connection.write(envelope.encode(envelope.error(refused)))


def gateway_says(connection: Connection, message: str) -> None:
    """A frame in the gateway's spelling, with an id of its own."""
    connection.write(envelope.wire(envelope.TEXT, envelope.gateway_frame(message, connection.id)))
