"""An HTTP client for a greenlet that may wait: one origin, one request at a time, for everything that is not a session.

It does not follow redirects and asks for no compression. Its clock and sockets are its own, so that nothing of it
counts among what the generator measures of its sessions.
"""

import copy
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.event import AsyncResult
from websockets.headers import build_host

from ..auth.proxy import proxy_of
from ..auth.redaction import Redaction
from ..auth.tls_policy import tls_for
from ..errors import RunFailed
from ..plan import Endpoint
from ..record.row import Outcome
from ..units import SECOND
from ..wire.exchange import Answer, Failure, Request
from .clock import Clock
from .connection_options import PORTS, make_route
from .events import Arrival
from .http_connection import HttpConnection
from .sockets import Sockets, resolve

MAX_BODY_BYTES = 64 << 20


class HttpClient:
    """Asks one origin, on a connection that is kept alive.

    Args:
        url: names the origin; its path and query are not looked at.
        endpoint: whose `[endpoint.tls]` counts on its own host, and whose proxy may be used.
        redaction: learns the secrets that the plan names.
        key: where the plan names the url.
        by_proxy: go through the endpoint's proxy, where there is one.

    Raises:
        UsageError: a file or an environment variable that the plan names cannot be used.
    """

    def __init__(self, url: str, endpoint: Endpoint, redaction: Redaction, key: str, *, by_proxy: bool = False) -> None:
        parts = urlsplit(url)
        is_secure = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        proxy = proxy_of(endpoint, redaction) if by_proxy else None
        self._call = (host, port, key) if proxy is None else (proxy.host, proxy.port, "endpoint.proxy")
        # A proxy opens a tunnel for https; a plain request is made to the proxy itself (RFC 9110 7.2, RFC 9112 3.2.2).
        self._origin = "" if proxy is None or is_secure else f"http://{parts.netloc.rpartition('@')[2]}"
        self._more = (("Proxy-Authorization", f"Basic {proxy.basic}"),) if proxy and proxy.user and self._origin else ()
        self._route = make_route(
            host, port, tls_for(endpoint, url) if is_secure else None, redaction, proxy=None if self._origin else proxy
        )
        self._host = build_host(host, port, is_secure)
        self._clock: Clock | None = None
        self._connection: HttpConnection | None = None
        self._told: Any = None
        """What the request under way waits for."""

    def another(self) -> "HttpClient":
        """A client of the same origin with a connection of its own; what was read of the plan is shared."""
        other = copy.copy(self)
        other._clock = other._connection = other._told = None
        return other

    def ask(self, request: Request, timeout_s: float) -> Answer | Failure:
        """Send one request and wait for the whole answer, connecting first where need be.

        Args:
            request: its target begins with the path.
            timeout_s: how long all of it may take.

        Returns:
            Answer: whatever its status.
            Failure: why there is none.
        """
        until_ns = time.monotonic_ns() + round(timeout_s * SECOND)
        request = request._replace(target=self._origin + request.target, headers=request.headers + self._more)
        found: Answer | Failure | None = None
        try:
            connection = self._connection or self._connect(until_ns)
            if isinstance(connection, Failure):
                return connection
            self._told = told = AsyncResult()
            connection.ask(request, lambda answer, when: told.set(answer), until_ns - time.monotonic_ns())
            found = told.get()
            return found
        finally:
            if not isinstance(found, Answer):
                self.close()  # whatever state its connection is in

    def close(self) -> None:
        """End the connection; another request would begin a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._clock is not None:
            self._clock.close()
            self._clock = None

    def _connect(self, until_ns: int) -> HttpConnection | Failure:
        """Connect to the first address that lets us, or say why none does."""
        try:
            with gevent.Timeout((until_ns - time.monotonic_ns()) / SECOND, TimeoutError()):
                route = replace(self._route, addresses=resolve(*self._call))
        except RunFailed as error:
            return Failure(Outcome.CLOSED, 0, str(error))
        except TimeoutError:
            return Failure(Outcome.EXPIRED, 0, "no address in time")
        self._clock = clock = Clock()
        clock.failure = self._broke
        sockets = Sockets(clock, self._broke)
        failure = Failure(Outcome.CLOSED, 0, "there is no address")
        for number in range(len(route.addresses)):
            self._told = AsyncResult()
            self._connection = connection = HttpConnection(sockets, route, number, self._host, MAX_BODY_BYTES)
            connection.dial(self._dialled, until_ns - time.monotonic_ns())
            why: Failure | None = self._told.get()
            if why is None:
                return connection
            failure = why
            if failure.outcome is not Outcome.CLOSED:
                break
        return failure

    def _dialled(self, why: Failure | None, sent: int, when: Arrival) -> None:
        self._told.set(why)

    def _broke(self, error: BaseException) -> None:
        """Something of ours went wrong in the hub: it is raised where the answer is waited for."""
        self._told.set_exception(error)
