"""The REST side of a run as all sessions of one process share it: where it is, what is said there, how to get in.

It must not know what is asked or when. The subtle thing: `[endpoint.rest] url` is empty for most endpoints, whose
REST routes stand on the same origin as their WebSocket.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
from websockets.headers import build_host

from ..access import Access, expand
from ..clock import SECOND
from ..plan import Endpoint, Tls
from ..reach import find_addresses, make_options
from ..transport.http import HttpConnection
from ..transport.options import Options, Route
from ..transport.sockets import Sockets
from ..wire import Dialect
from ..wire.exchange import Request
from ..wire.rest import Rest

RENEW_NS = 60 * SECOND
STALE_NS = SECOND
"""Credentials younger than this are not refused for their age."""
UNAUTHORISED = 401
PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
SCHEMES = {"http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True)
class Origin:
    """What it takes to ask the endpoint something by REST."""

    rest: Rest
    sockets: Sockets
    access: Access
    route: Route
    host: str
    """What the Host header says."""
    room_names: list[str]
    open_timeout_ns: int
    answer_timeout_ns: int
    max_body_bytes: int

    def connection(self, session: int) -> HttpConnection:
        """A new connection of one session's, not dialled yet."""
        return HttpConnection(self.sockets, self.route, session, self.host, self.max_body_bytes)


def make_origin(
    endpoint: Endpoint, dialect: Dialect, sockets: Sockets, access: Access, options: Options, room_names: list[str]
) -> Origin:  # fmt: skip
    """The REST side of a run; `options` are those of its WebSockets.

    Raises:
        PlanError: `[endpoint.rest]` describes no REST interface.
        RunFailed: its host has no address.
        UsageError: an environment variable that its url names is not set.
    """
    parts = urlsplit(expand(endpoint.rest.url or endpoint.url, "endpoint.rest.url", access.hiding))
    path, route = "", options.route
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 80)
    if endpoint.rest.url:
        path = parts.path.rstrip("/")
        # The way to another origin is found as the way to a WebSocket there would be.
        url = f"{SCHEMES[parts.scheme]}://{parts.netloc}/"
        there = msgspec.structs.replace(endpoint, url=url, serve={}, tls=_tls(endpoint, parts.scheme, host))
        route = make_options(there, port, find_addresses(there, port), access.hiding).route
    return Origin(
        Rest(endpoint, dialect, path), sockets, access, route,
        build_host(host, port, secure=parts.scheme in ("https", "wss")), room_names,
        options.open_timeout_ns, round(endpoint.answer_timeout_s * SECOND), options.max_message_bytes,
    )  # fmt: skip


def _tls(endpoint: Endpoint, scheme: str, host: str) -> Tls | None:
    """What `[endpoint.tls]` says to a REST origin: nothing without TLS; its server_name is the WebSocket host's own."""
    if endpoint.tls is None or scheme != "https":
        return None
    return endpoint.tls if host == endpoint.host else msgspec.structs.replace(endpoint.tls, server_name="")


class Credentials:
    """What every request of one conversation bears besides its own headers; renewed now and then, for tokens expire."""

    __slots__ = ("_conn", "_headers", "_origin", "_session", "_since")

    def __init__(self, origin: Origin, session: int, conn: int) -> None:
        self._origin = origin
        self._session = session
        self._conn = conn
        self._headers: tuple[tuple[str, str], ...] = ()
        self._since = 0

    def sign(self, request: Request) -> Request:
        """The request with them."""
        now = self._origin.sockets.clock.now()
        if not self._since or now - self._since > RENEW_NS:
            self._headers = tuple(self._origin.access.command(self._session, self._conn).items())
            self._since = now
        return request._replace(headers=(*request.headers, *self._headers))

    def refused(self, status: int) -> bool:
        """The endpoint refused them; True when it is worth trying again with fresh ones."""
        if status != UNAUTHORISED:
            return False
        self._origin.access.refused(self._session, self._conn, status)
        now = self._origin.sockets.clock.now()
        fresh = now - self._since < STALE_NS
        self._since = 0
        return not fresh
