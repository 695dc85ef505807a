"""Server-sent events of one room (HTML Living Standard, section 9.2): `GET /rooms/{roomId}/events`.

The first byte is written at once, so that an EventSource opens before there is a message. A stream without messages
still writes a comment now and then, because only a write detects a client that is gone.
"""

import asyncio
import logging

from aiohttp import hdrs, web

from .follow import Follower
from .gate import Gate
from .http import whole, whole_number
from .hub import Hub
from .rooms import RoomNames
from .state import StoreDown
from .subscription import Said

log = logging.getLogger("squall.endpoint")

HEARTBEAT_S = 15.0
RETRY_MS = 1000
"""How long an EventSource waits before it reconnects; it then sends its Last-Event-ID."""


class Streams:
    """All event streams of this process."""

    def __init__(self, hub: Hub, gate: Gate, names: RoomNames) -> None:
        self._hub = hub
        self._gate = gate
        self._names = names
        self._open: set[asyncio.Task[object]] = set()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the one route."""
        router.add_get("/rooms/{roomId}/events", self.stream, allow_head=False)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """`GET /rooms/{roomId}/events`: stream until either side ends it."""
        identity = await self._gate.member(request)
        room = self._names.of(request, identity)
        last = await self._hub.store.last(identity.tenant, room)
        after = whole(request, "after", last)
        if "Last-Event-ID" in request.headers:
            after = whole_number("Last-Event-ID", request.headers["Last-Event-ID"], 0)
        if after > last:  # from an earlier life of the room: all messages of this one are new to the client
            after = 0
        response = web.StreamResponse(headers={hdrs.CACHE_CONTROL: "no-store", "X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with Follower(self._hub, identity.tenant, room, after) as follower:
                await response.prepare(request)
                await response.write(b"retry: %d\n\n" % RETRY_MS)
                while not self._hub.closed_for:  # otherwise it reconnects, with its Last-Event-ID, once the store works
                    said = await follower.next(HEARTBEAT_S)
                    await response.write(events(said) or b":\n\n")
        except (ConnectionError, StoreDown) as error:
            log.info("a stream ends: %s", error or type(error).__name__)
        finally:
            self._open.discard(task)
        return response

    async def end(self, _application: web.Application) -> None:
        """End every stream, because the endpoint stops."""
        for task in tuple(self._open):
            task.cancel()


def events(said: list[Said]) -> bytes:
    """Messages as events. A frame is JSON without line breaks, so one `data:` line holds it.

    >>> events([Said(7, b"{}")])
    b'id: 7\\nevent: message\\ndata: {}\\n\\n'
    """
    return b"".join(b"id: %d\nevent: message\ndata: %s\n\n" % one for one in said)
