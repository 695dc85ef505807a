"""`GET /ws`: who may connect, then the upgrade, then the transport is handed to a reader.

Subtle: once the answer 101 is written, aiohttp is made to believe that it lost the connection, so it keeps neither a
task nor a request for a client that stays for hours.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_request import BaseRequest
from websockets.datastructures import Headers
from websockets.http11 import Request as Opening
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from .connection import Connection
from .http import BEARER, handshake_of
from .refusal import Refused
from .settings import Settings
from .tokens import MEMBER, require
from .websocket_reader import WebSocketReader

if TYPE_CHECKING:
    from .hub import Hub

MAX_CLIENT_CHARS = 128

quiet = logging.getLogger("squall.endpoint.websocket")
quiet.setLevel(logging.ERROR)  # the library would write two lines per connection


class Handed(web.StreamResponse):
    """What the route returns once the connection no longer belongs to aiohttp: there is nothing left to answer."""

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Send nothing: the answer has been written already."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing: the answer has been written already."""


class Upgrade:
    """The route of the WebSocket side."""

    def __init__(self, hub: "Hub", settings: Settings, watch: Callable[[Connection], None]) -> None:
        self._hub = hub
        self._settings = settings
        self._watch = watch
        self._overflow = functools.partial(hub.policies.overflow, hub)
        self._connects = hub.policies.connect_bucket(time.monotonic())

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the route."""
        router.add_get("/ws", self.websocket, allow_head=False)

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        """Refuse before the upgrade, or hand the connection over.

        Raises:
            Refused: 401, 403, 426, 429, 502 or 503.
        """
        if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
            raise Refused(426, "this is a WebSocket: upgrade")
        try:
            return await self._connect(request)
        except Refused as refused:
            self._hub.counters.refused[refused.code] += 1
            raise

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        hub = self._hub
        policies = hub.policies
        now_s = time.monotonic()
        if hub.closed_for:
            raise Refused(503, "not ready", detail=hub.closed_for)
        if not self._connects.take(now_s):
            hub.counters.throttled["connects"] += 1
            raise Refused(429, "too many connects", retry_s=self._connects.wait_s(now_s))
        identity = require(await policies.authorize(handshake_of(request)), MEMBER)
        client = printable(request.query.get("client", ""))
        if len(client) > MAX_CLIENT_CHARS:
            raise Refused(400, f"client is longer than {MAX_CLIENT_CHARS} characters")
        await hub.buckets.prepare(identity.tenant)
        protocol, opened = self._accepted(request)
        transport = request.transport
        if transport is None or transport.is_closing():
            return Handed()
        agent = printable(request.headers.get(hdrs.USER_AGENT, ""))[:MAX_CLIENT_CHARS]
        bucket = policies.bucket(time.monotonic())
        limit_bytes = self._settings.unsent_bytes
        connection = Connection(
            transport, identity, client, bucket, request.remote or "", agent, limit_bytes, self._overflow
        )
        take_over(request, transport, WebSocketReader(hub, connection, protocol))
        transport.write(opened)
        hub.enter(connection)
        self._watch(connection)
        return Handed()

    def _accepted(self, request: web.Request) -> tuple[ServerProtocol, bytes]:
        """The library's protocol after an accepted handshake (aiohttp has read the request), and the answer to send.

        Raises:
            Refused: 400 or 426 for an upgrade that breaks RFC 6455 section 4.2.1.
        """
        settings = self._settings
        protocol = ServerProtocol(
            subprotocols=[Subprotocol(BEARER)],
            select_subprotocol=bearer_or_none,
            state=State.OPEN,
            max_size=(settings.max_message_bytes or None, settings.max_frame_bytes or None),
            logger=quiet,
        )
        headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers])
        response = protocol.accept(Opening(request.raw_path, headers))
        if response.status_code != 101:
            raise Refused(response.status_code, "the upgrade is not valid", detail=str(protocol.handshake_exc))
        return protocol, response.serialize()


def printable(text: str) -> str:
    """A client's own description of itself, as text that can be stored and shown: invalid bytes become "?".

    >>> printable("caf\\udce9")
    'caf?'
    """
    return text.encode("utf-8", "replace").decode()


def bearer_or_none(_protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The subprotocol that carried a token, if it was offered."""
    return Subprotocol(BEARER) if BEARER in offered else None


def take_over(request: web.Request, transport: asyncio.Transport, reader: WebSocketReader) -> None:
    """Give aiohttp's transport to a reader; aiohttp believes it has lost the connection."""
    theirs = request.protocol
    theirs.transport = None  # or it would close it
    theirs.connection_lost(None)
    reader.connection_made(transport)
