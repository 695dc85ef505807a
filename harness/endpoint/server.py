"""The aiohttp application: the upgrade, the reading of frames; the REST routes beside them are other modules'.

It must not know what an action means. The subtle thing: aiohttp hands text over as bytes and up to four times the
promised size, so that too big (1009) and bad UTF-8 (1007) are answered by a close handshake that the client can
read; when aiohttp's own parser refuses, it drops the socket and the client may see only a reset.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

from aiohttp import WSMsgType, hdrs, web

from .connection import GIVE_UP_S, Connection
from .dead_letters import DeadLetters
from .envelope import PONG, wire
from .gate import Gate
from .health import Health
from .http import BEARER, refusing, token_of
from .hub import Hub
from .lifetime import Lifetime
from .liveness import Liveness
from .management import Management
from .metrics import Metrics
from .refusal import Refused
from .rest import Rest
from .rooms import RoomNames
from .settings import MAX_MESSAGE_BYTES, Settings
from .sse import Streams
from .tokens import MEMBER, require

log = logging.getLogger("squall.endpoint")

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
        application = web.Application(middlewares=[refusing], client_max_size=MAX_MESSAGE_BYTES)
        application.router.add_get("/ws", self.websocket, allow_head=False)
        hub, names, gate = self._hub, RoomNames(self._hub.parts), Gate(self._hub)
        streams = Streams(hub, gate, names)
        members = (Rest(hub, gate, names), streams)
        operators = (Management(hub, gate), DeadLetters(hub, gate), Metrics(hub), Health(hub.ready))
        for routes in (*members, *operators):
            routes.add_routes(application.router)
        application.on_shutdown.append(streams.end)
        application.cleanup_ctx.append(self._living)
        application.on_shutdown.append(self._say_goodbye)
        return application

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        """`GET /ws`: refuse before the upgrade, or talk until either side ends it."""
        if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
            raise Refused(426, "this is a WebSocket: upgrade")
        parts, hub = self._hub.parts, self._hub
        try:
            identity = require(parts.identify(token_of(request)), MEMBER)
            client = request.query.get("client", "")
            if len(client) > MAX_CLIENT_CHARS:
                raise Refused(400, f"client is longer than {MAX_CLIENT_CHARS} characters")
        except Refused as refused:
            hub.counters.refused[refused.code] += 1
            raise
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
            hub.counters.disconnects[connection.why or ("closed by the client" if clean else "lost")] += 1
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
        connection.why = f"broke a rule ({code})"
        self._hub.end(connection, clean=True)
        await socket.close(code=self._hub.parts.close_code(code))
        return True

    async def _living(self, _application: web.Application) -> AsyncIterator[None]:
        await self._hub.start()
        task = asyncio.create_task(self._sweep())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await self._hub.stop()

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
        for connection in self._sockets:
            connection.why = "the endpoint stops"
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
