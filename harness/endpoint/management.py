"""The management API of a gateway over HTTP: `/@connections/{connectionId}` and the operator's list.

A pushed body is sent as it came. 200 means that the bytes were handed to the connection, not that the client read
them; only a connection that is known to be dead answers 410.
"""

from datetime import UTC, datetime

from aiohttp import web

from . import push as one
from .gate import Gate
from .http import answer, read_bytes
from .hub import Hub
from .push import Pushed
from .refusal import Refused


class Management:
    """The operator's routes for connections."""

    def __init__(self, hub: Hub, gate: Gate) -> None:
        self._hub = hub
        self._gate = gate

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/connections", self.listing, allow_head=False)
        path = "/@connections/{connectionId}"
        router.add_post(path, self.push)
        router.add_get(path, self.describe, allow_head=False)
        router.add_delete(path, self.disconnect)

    async def listing(self, request: web.Request) -> web.Response:
        """`GET /connections`: the open connections, as far as the endpoint knows."""
        await self._gate.operator(request)
        return answer({"connections": await self._hub.everybody_listed()})

    async def push(self, request: web.Request) -> web.Response:
        """`POST`: send the body to one client as one text message."""
        await self._gate.operator(request)
        body = await read_bytes(request)
        try:
            body.decode()
        except UnicodeDecodeError:
            raise Refused(400, "a message is UTF-8 text") from None
        pushed = await one.push(self._hub, request.match_info["connectionId"], body)
        self._hub.counters.pushed[pushed.value] += 1
        if pushed is Pushed.GONE:
            raise gone()
        if pushed is Pushed.FULL:
            raise Refused(429, "the client does not read: its buffer is full")
        return web.Response()

    async def describe(self, request: web.Request) -> web.Response:
        """`GET`: since when it is connected, when it was last active, and its address."""
        await self._gate.operator(request)
        found = await one.describe(self._hub, request.match_info["connectionId"])
        if found is None:
            raise gone()
        identity = {"sourceIp": found.address, "userAgent": found.agent}
        return answer(
            {"connectedAt": iso(found.connected_ms), "lastActiveAt": iso(found.active_ms), "identity": identity}
        )

    async def disconnect(self, request: web.Request) -> web.Response:
        """`DELETE`: close the connection."""
        await self._gate.operator(request)
        if not await one.disconnect(self._hub, request.match_info["connectionId"]):
            raise gone()
        return web.Response(status=204)


def gone() -> Refused:
    """The refusal for a connection that does not exist."""
    return Refused(410, "gone")


def iso(ms: int) -> str:
    """A time in ms since 1970 as ISO 8601 in UTC.

    >>> iso(1_000)
    '1970-01-01T00:00:01.000Z'
    """
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
