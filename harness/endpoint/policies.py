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
    """From a token (None: there was none) to an identity; refuses with 401."""
    authorize: authorizer.Authorize
    """From the handshake of a connect or a REST call to an identity; refuses with 401, 403 or 502."""
    read: Callable[[bytes], Request]
    """From a client's frame to a valid request; refuses with 400."""
    bucket: Callable[[float], Bucket]
    """The bucket of a new connection, at a monotonic time in seconds."""
    tenant_bucket: Callable[["Hub", str], Limit]
    """The limit that all connections of a tenant share."""
    endpoint_bucket: Callable[["Hub"], Limit]
    """The limit that all connections and pushes share."""
    connect_bucket: Callable[[float], Limit]
    """The limit of new connections, made at a monotonic time in seconds."""
    violated: Callable[["Hub", Connection], None]
    """A client exceeded a limit or sent something malformed, and has had its error."""
    throttled: Callable[[Connection, bytes], None]
    """A frame exceeded the limit."""
    may_act: Callable[[tokens.Identity, str], bool]
    """Whether an action is enabled for an identity."""
    room_of: Callable[[tokens.Identity, str], str]
    """From a name to a room of the identity's own tenant; refuses with 403."""
    may_join: Callable[[tokens.Identity, str], bool]
    """Whether an identity may join a room and read it."""
    may_publish: Callable[[tokens.Identity, str], bool]
    """Whether an identity may publish in a room."""
    needs_membership: Callable[[str], bool]
    """Whether only members may publish in a room by WebSocket."""
    queued: Callable[[pipeline.Job], None]
    """An event has been queued; nothing is stored yet."""
    shard: Callable[[Event, int], int]
    """Which of a number of queues an event goes to."""
    persist: Callable[[Store, Sequence[Event], str], Awaitable[list[int]]]
    """Store a batch of events under its name; returns their places in their rooms."""
    acknowledge: Callable[[pipeline.Job, Event], None]
    """An event is stored: answer its sender."""
    bury: Callable[[Store, Sequence[DeadLetter]], Awaitable[None]]
    """Store dead letters."""
    hand_on: Callable[["Hub", Event], Awaitable[None]]
    """Deliver an accepted event to its recipients in this process; the next event of its queue waits for this."""
    slice: int
    """How many members of a giant room are written to before other rooms get their turn."""
    recipients: Callable[["Hub", Event], Collection[Connection]]
    """The recipients of an event."""
    message: Callable[[Event], Frame]
    """The frame of an event, as its recipients get it."""
    overflow: Callable[["Hub", Connection], None]
    """More waits to be sent to a client than its limit."""
    deliver: Callable[[Connection, bytes], None]
    """Send one message, as wire bytes, to one recipient."""
    push: Callable[["Hub", str, bytes], push.Pushed]
    """Push bytes to a connection of this process by its id."""
    reply: Callable[[Connection, Frame], None]
    """Answer a request: ack, pong or error."""
    encode: Callable[[Frame], bytes]
    """A message as JSON text, once for all recipients."""
    gateway_says: Callable[[Connection, str], None]
    """Send a refusal of the gateway itself."""
    answer_ping: Callable[[Connection, bytes], None]
    """Answer a client's ping with this pong, as wire bytes."""
    pong: Callable[[Connection, float], None]
    """A client sent a pong, at a monotonic time in seconds."""
    silent: Callable[["Hub", Connection], None]
    """A client has not answered a ping in time."""
    expired: Callable[["Hub", Connection], None]
    """A client has given no sign of life for the whole time to live."""
    outlived: Callable[["Hub", Connection], None]
    """The token of a connection has expired."""
    ended: Callable[["Hub", Connection, bool], None]
    """A connection has ended; True if the client closed it by a handshake."""
    close_code: Callable[[int], int]
    """From the intended close code to the one that is sent."""


def honest_policies(settings: Settings, verifier: tokens.Verifier) -> Policies:
    """The policies of an endpoint that keeps its contract.

    Raises:
        UsageError: the contract's schemas are missing, or a route or the authoriser is wrong.
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
    """Note that the client is alive."""
    connection.ponged_s = now_s


def give_up(hub: "Hub", connection: Connection) -> None:
    """Disconnect a silent client and remove it from the list."""
    hub.log.info("connection %s does not answer pings: cut", connection.id)
    connection.cut()
    hub.counters.stale_cleaned += 1
    hub.end(connection, clean=False)


def close_expired(hub: "Hub", connection: Connection) -> None:
    """Close a connection whose token has expired, and take it off the table."""
    connection.close(hub.policies.close_code(TOKEN_EXPIRED), "the token has expired")
    hub.end(connection, clean=True)


def sweep(hub: "Hub", connection: Connection) -> None:
    """Disconnect a client that has outlived its time to live, and remove it from the list."""
    hub.log.info("connection %s has outlived its time to live: cut", connection.id)
    connection.cut("no sign of life")
    hub.counters.stale_cleaned += 1
    hub.end(connection, clean=False)


def refuse_throttled(connection: Connection, payload: bytes) -> None:
    """Answer 429, with the request's id if it can be read cheaply."""
    refused = Refused(429, "too many requests", request_id=envelope.salvage_id(payload))
    connection.write(envelope.encode(envelope.error(refused)))


def gateway_says(connection: Connection, message: str) -> None:
    """Send a frame in the gateway's spelling, with an id of the gateway's own."""
    connection.write(envelope.wire(envelope.TEXT, envelope.gateway_frame(message, connection.id)))
