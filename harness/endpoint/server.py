"""The aiohttp application: the upgrade and the REST routes, each in a module of its own, and the task that sweeps.

aiohttp never sees a WebSocket's bytes: it parses the opening request and hands the transport over (`upgrade.py`).
"""

import asyncio
import contextlib
import operator
import time
from collections.abc import AsyncIterator

from aiohttp import web

from .connection import Connection
from .dead_letters import DeadLetters
from .gate import Gate
from .health import Health
from .http import counting, refusing
from .hub import Hub
from .lifetime import Lifetime
from .liveness import Liveness
from .management import Management
from .metrics import Metrics
from .rest_routes import RestRoutes
from .rooms import RoomNames
from .settings import Settings
from .sse import Streams
from .upgrade import Upgrade

GOODBYE_S = 1.0
TOKEN_GRACE_S = 0.1
"""A connection is closed this long after its token has expired."""


class Server:
    """One endpoint behind one port."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self._hub = hub
        self._liveness = Liveness(
            settings.ping_interval_s, settings.ping_timeout_s, lambda connection: hub.policies.silent(hub, connection)
        )
        self._lifetime = Lifetime(settings.idle_timeout_s, settings.max_lifetime_s, self._over)
        self._lives = Lifetime(settings.ttl_s, 0.0, lambda connection, _reason: hub.policies.expired(hub, connection),
                               sign_of_life)  # fmt: skip
        self._tokens = Lifetime(TOKEN_GRACE_S, 0.0, lambda connection, _reason: hub.policies.outlived(hub, connection),
                                operator.attrgetter("expires_s"))  # fmt: skip
        limits_s = (
            settings.ping_interval_s,
            settings.ping_timeout_s,
            settings.idle_timeout_s,
            settings.max_lifetime_s,
            settings.ttl_s,
        )
        self._tick_s = min(0.25, max(0.02, min((limit_s for limit_s in limits_s if limit_s), default=10.0) / 10))
        self._max_body_bytes = settings.max_message_bytes
        self._upgrade = Upgrade(hub, settings, self._watch)

    def application(self) -> web.Application:
        """The application with its routes and the sweeping task."""
        hub, names, gate = self._hub, RoomNames(self._hub.policies), Gate(self._hub)
        application = web.Application(
            middlewares=[counting(hub.counters), refusing], client_max_size=self._max_body_bytes
        )
        streams = Streams(hub, gate, names)
        members = (self._upgrade, RestRoutes(hub, gate, names), streams)
        operators = (Management(hub, gate), DeadLetters(hub, gate), Metrics(hub), Health(hub.ready))
        for routes in (*members, *operators):
            routes.add_routes(application.router)
        application.on_shutdown.append(streams.end)
        application.cleanup_ctx.append(self._living)
        application.on_shutdown.append(self._say_goodbye)
        return application

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
            self._lives.sweep(now_s)
            self._tokens.sweep(now_s)

    def _watch(self, connection: Connection) -> None:
        self._liveness.watch(connection, connection.connected_s)
        self._lifetime.watch(connection)
        self._lives.watch(connection)
        self._tokens.watch(connection)

    def _over(self, connection: Connection, reason: str) -> None:
        """A connection's time is up: remove it from the list and close it with 1001."""
        connection.close(self._hub.policies.close_code(1001), reason)
        self._hub.end(connection, clean=True)

    async def _say_goodbye(self, _application: web.Application) -> None:
        """Close every client with 1001, all at once, and wait a little for them."""
        code = self._hub.policies.close_code(1001)
        leaving = tuple(self._hub.connections.values())
        for connection in leaving:
            connection.close(code, "the endpoint stops")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                while not all(connection.transport.is_closing() for connection in leaving):
                    await asyncio.sleep(0.01)


def sign_of_life(connection: Connection) -> float:
    """When a client last sent anything (monotonic seconds)."""
    return max(connection.active_s, connection.ponged_s)
