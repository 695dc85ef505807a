"""The REST side of a run as all sessions of one process share it: its address, its mapping, its credentials.

`[endpoint.rest] url` is empty for most endpoints, whose REST routes stand on the same origin as their WebSocket.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
from websockets.headers import build_host

from ...auth import Access, Denied, expand
from ...plan import Endpoint, Tls
from ...transport.connection_options import PORTS, find_route
from ...transport.http_connection import HttpConnection
from ...transport.options import Options, Route
from ...transport.sockets import Sockets
from ...units import SECOND
from ...wire import Dialect
from ...wire.exchange import Request
from ...wire.rest_mapping import RestMapping

LONGEST_S = 60.0
"""Credentials are renewed at least this often."""
RETRY_S = 1.0
"""After a login, failed or not, the next of the same conversation comes no sooner."""
UNAUTHORISED = 401
REFUSALS = (UNAUTHORISED, 403)
"""What may be the credentials' fault."""


@dataclass(frozen=True, slots=True)
class RestEndpoint:
    """What it takes to ask the endpoint something by REST."""

    mapping: RestMapping
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


def make_rest_endpoint(
    endpoint: Endpoint, dialect: Dialect, sockets: Sockets, access: Access, options: Options, room_names: list[str]
) -> RestEndpoint:  # fmt: skip
    """The REST side of a run; `options` are those of its WebSockets.

    Raises:
        PlanError: `[endpoint.rest]` describes no REST interface.
        RunFailed: its host has no address.
        UsageError: an environment variable that its url names is not set.
    """
    parts = urlsplit(expand(endpoint.rest.url or endpoint.url, "endpoint.rest.url", access.redaction))
    path, route = "", options.route
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 80)
    if endpoint.rest.url:
        path = parts.path.rstrip("/")
        route = find_route(endpoint, host, port, _tls(endpoint, parts.scheme, host), access.redaction)
    return RestEndpoint(
        RestMapping(endpoint, dialect, path), sockets, access, route,
        build_host(host, port, secure=parts.scheme in ("https", "wss")), room_names,
        options.open_timeout_ns, round(endpoint.answer_timeout_s * SECOND), options.max_message_bytes,
    )  # fmt: skip


def _tls(endpoint: Endpoint, scheme: str, host: str) -> Tls | None:
    """The TLS settings of a REST origin (None: no TLS); the plan's server_name is the WebSocket host's own."""
    if scheme != "https":
        return None
    if endpoint.tls is None:
        return Tls()
    return endpoint.tls if host == endpoint.host else msgspec.structs.replace(endpoint.tls, server_name="")


class Credentials:
    """The headers that authorise the requests of one conversation, for as long as the token in them is valid.

    When it is time for another login, that happens beside the requests, which go on with the old token; one that is
    refused all the same is worth another try once others are there.
    """

    __slots__ = ("_conn", "_endpoint", "_headers", "_is_trying", "_session", "_until", "_waiting")

    def __init__(self, endpoint: RestEndpoint, session: int, conn: int) -> None:
        self._endpoint = endpoint
        self._session = session
        self._conn = conn
        self._headers: tuple[tuple[str, str], ...] = ()
        self._until = 0
        self._is_trying = False
        """Whether these were had because those before were refused, and have not been accepted yet."""
        self._waiting: list[Callable[[], None]] | None = None
        """Who goes on when the login that is under way has ended; None when none is."""

    def sign(self, request: Request) -> Request:
        """The request with them."""
        if self._endpoint.sockets.clock.now() >= self._until:
            life_s = self._take()
            if life_s == 0 and self._waiting is None:
                self._log_in([])
        return request._replace(headers=(*request.headers, *self._headers))

    def accepted(self) -> None:
        """The endpoint did not refuse them."""
        self._is_trying = False

    def again(self, refused: Request, status: int, then: Callable[[], None]) -> bool:
        """The endpoint refused a signed request: whether it is worth signing it once more, when `then` is called (from
        the hub, never from here).
        """
        if status not in REFUSALS:
            return False
        if not self._has(refused):  # others have been had meanwhile
            self._soon(then)
            return True
        if self._waiting is not None:
            self._waiting.append(then)
            return True
        if self._is_trying:
            return False
        if self._endpoint.access.refused(self._session, self._conn, status) and self._log_in([then]):
            self._is_trying = True
            return True
        if status != UNAUTHORISED:
            return False
        self._take()
        if self._has(refused):  # there are no others
            return False
        self._is_trying = True
        self._soon(then)
        return True

    def _has(self, request: Request) -> bool:
        return request.headers[len(request.headers) - len(self._headers) :] == self._headers

    def _take(self) -> float:
        """Have them, and say how long they are good (seconds)."""
        access, now = self._endpoint.access, self._endpoint.sockets.clock.now()
        self._headers = tuple(access.command(self._session, self._conn).items())
        life_s = access.command_life_s(self._session, self._conn)
        self._until = now + round(min(LONGEST_S, life_s) * SECOND)
        return life_s

    def _log_in(self, waiting: list[Callable[[], None]]) -> bool:
        self._waiting = waiting
        if self._endpoint.access.renew(self._session, self._conn, self._renewed):
            return True
        self._waiting = None
        return False

    def _renewed(self, _found: str | Denied) -> None:
        """A login has ended; who waits goes on either way, and learns from the endpoint what the old token is worth."""
        waiting, self._waiting = self._waiting or [], None
        self._take()
        self._until = max(self._until, self._endpoint.sockets.clock.now() + round(RETRY_S * SECOND))
        for then in waiting:
            self._soon(then)

    def _soon(self, then: Callable[[], None]) -> None:
        self._endpoint.sockets.clock.after(0, then)
