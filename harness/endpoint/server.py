"""The aiohttp application: the upgrade, the reading of frames, the REST routes beside them.

It must not know what an action means. The subtle thing: aiohttp hands text over as bytes and up to four times the
promised size, so that too big (1009) and bad UTF-8 (1007) are answered by a close handshake that the client can
read; when aiohttp's own parser refuses, it drops the socket and the client may see only a reset.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

import msgspec
from aiohttp import WSMsgType, hdrs, web

from .connection import GIVE_UP_S, Connection
from .envelope import PONG, wire
from .hub import Hub
from .lifetime import Lifetime
from .liveness import Liveness
from .refusal import Refused
from .settings import MAX_MESSAGE_BYTES, Settings
from .tokens import ADMIN, MEMBER, require

log = logging.getLogger("squall.endpoint")

BEARER = "bearer"
MAX_CLIENT_CHARS = 128


class Server:
    """One endpoint behind one port."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self._hub = hub
        self._liveness = Liveness(
            settings.ping_interval_s, settings.ping_timeout_s, lambda connection: hub.parts.silent(hub, connection)
        )
        self._lifetime = Lifetime(settings.idle_timeout_s, settings.max_lifetime_s, self._over)
        limits_s = (settings.ping_interval_s, settings.ping_timeout_s, settings.idle_timeout_s, settings.max_lifetime_s)
        self._tick_s = min(0.25, max(0.02, min((limit_s for limit_s in limits_s if limit_s), default=10.0) / 10))
        self._sockets: dict[Connection, web.WebSocketResponse[bool]] = {}

    def application(self) -> web.Application:
        """The routes, with the sweeping task that lives as long as they do."""
        application = web.Application()
        application.router.add_get("/ws", self.websocket)
        application.router.add_get("/connections", self.connections)
        application.router.add_get("/health", self.health)
        application.cleanup_ctx.append(self._living)
        application.on_shutdown.append(self._say_goodbye)
        return application

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        """`GET /ws`: refuse before the upgrade, or talk until either side ends it."""
        if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
            return refusal(Refused(426, "this is a WebSocket: upgrade"))
        parts, hub = self._hub.parts, self._hub
        try:
            identity = require(parts.identify(token_of(request)), MEMBER)
            client = request.query.get("client", "")
            if len(client) > MAX_CLIENT_CHARS:
                raise Refused(400, f"client is longer than {MAX_CLIENT_CHARS} characters")
        except Refused as refused:
            return refusal(refused)
        socket = web.WebSocketResponse(
            timeout=GIVE_UP_S,
            autoclose=False,
            autoping=False,
            compress=False,
            max_msg_size=4 * MAX_MESSAGE_BYTES,
            decode_text=False,
            protocols=(BEARER,),
        )
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        bucket = parts.bucket(time.monotonic())
        agent = request.headers.get(hdrs.USER_AGENT, "")[:MAX_CLIENT_CHARS]
        connection = Connection(transport, identity, client, bucket, request.remote or "", agent)
        hub.enter(connection)
        self._liveness.watch(connection, connection.connected_s)
        self._lifetime.watch(connection)
        self._sockets[connection] = socket
        clean = False
        try:
            clean = await self._converse(socket, connection)
        finally:
            del self._sockets[connection]
            hub.end(connection, clean=clean)
        return socket

    async def _converse(self, socket: "web.WebSocketResponse[bool]", connection: Connection) -> bool:
        """Read until it is over; True when the client closed it by a handshake."""
        hub, parts = self._hub, self._hub.parts
        while True:
            message = await socket.receive()
            kind = message.type
            if kind is WSMsgType.TEXT:
                payload: bytes = message.data
                code = misfit(payload)
                if code:
                    return await self._close(socket, connection, code)
                hub.receive(connection, payload)
            elif kind is WSMsgType.PONG:
                parts.pong(connection, time.monotonic())
            elif kind is WSMsgType.PING:
                connection.write(wire(PONG, message.data))
            elif kind is WSMsgType.CLOSE:
                await socket.close(code=message.data or 1000, drain=False)
                return True
            elif kind is WSMsgType.BINARY:
                return await self._close(socket, connection, 1003)
            else:
                return False

    async def _close(self, socket: "web.WebSocketResponse[bool]", connection: Connection, code: int) -> bool:
        """End a conversation that broke a rule; off the table first, because the handshake takes a while."""
        log.info("connection %s is closed with %d", connection.id, code)
        self._hub.end(connection, clean=True)
        await socket.close(code=self._hub.parts.close_code(code))
        return True

    async def connections(self, request: web.Request) -> web.Response:
        """`GET /connections`: what the endpoint believes about its connections now; for admins."""
        try:
            require(self._hub.parts.identify(token_of(request)), ADMIN)
        except Refused as refused:
            return refusal(refused)
        return answer({"connections": self._hub.listed()})

    async def health(self, _request: web.Request) -> web.Response:
        """`GET /health`: ok, or degraded with the store's failure."""
        failure = self._hub.store.failure
        return answer({"status": "degraded", "store": failure} if failure else {"status": "ok"})

    async def _living(self, _application: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._sweep())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._tick_s)
            now_s = time.monotonic()
            self._liveness.sweep(now_s)
            self._lifetime.sweep(now_s)

    def _over(self, connection: Connection, reason: str) -> None:
        """A connection's time is up: off the table, and closed with 1001."""
        connection.close(self._hub.parts.close_code(1001), reason)
        self._hub.end(connection, clean=True)

    async def _say_goodbye(self, _application: web.Application) -> None:
        """Close every client with 1001, all at once."""
        code = self._hub.parts.close_code(1001)
        closing = [socket.close(code=code, message=b"going away") for socket in self._sockets.values()]
        await asyncio.gather(*closing, return_exceptions=True)


def misfit(payload: bytes) -> int:
    """The close code for a text message that is too big or not UTF-8; 0 for one that is neither."""
    if len(payload) > MAX_MESSAGE_BYTES:
        return 1009
    try:
        payload.decode()
    except UnicodeDecodeError:
        return 1007
    return 0


def token_of(request: web.Request) -> str | None:
    """The token from `Authorization: Bearer`, `?token=` or the subprotocols `bearer, <jwt>`; None for none."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == BEARER and token:
        return token.strip()
    if "token" in request.query:
        return request.query["token"]
    offered = [name.strip() for name in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")]
    return offered[1] if len(offered) > 1 and offered[0] == BEARER else None


def answer(body: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def refusal(refused: Refused) -> web.Response:
    """A refusal as an HTTP answer; its detail stays here."""
    if refused.detail:
        log.info("refused with %d: %s (%s)", refused.code, refused.message, refused.detail)
    return answer({"message": refused.message, "code": refused.code}, refused.code)
