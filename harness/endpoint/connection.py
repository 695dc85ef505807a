"""One client's connection as the endpoint sees it: who, since when, in which rooms, and the way to write to it.

It must not know what is written. The subtle thing: writes go straight to the transport and never wait, so one
slow client cannot hold up a room; what it does not read is bounded, and beyond the bound it is given up (1013).
"""

import asyncio
import logging
import secrets
import time
from typing import Any

from .envelope import close_frame
from .settings import MAX_UNSENT_BYTES
from .throttle import Bucket
from .tokens import Identity

log = logging.getLogger("squall.endpoint")

GIVE_UP_S = 2.0
"""How long a client may take to answer a close before its connection is cut."""


class Connection:
    """An open connection. Times are monotonic seconds, but for `connected_ms` (wall clock, ms).

    `why` is why the endpoint ended it, in one of few fixed phrases; empty while it did not.
    """

    __slots__ = (
        "active_s",
        "address",
        "agent",
        "bucket",
        "client",
        "connected_ms",
        "connected_s",
        "gone",
        "id",
        "identity",
        "ponged_s",
        "rooms",
        "transport",
        "why",
    )

    def __init__(
        self, transport: asyncio.Transport, identity: Identity, client: str, bucket: Bucket, address: str, agent: str
    ) -> None:
        self.id = secrets.token_urlsafe(11) + "="
        self.transport = transport
        self.identity = identity
        self.client = client
        self.bucket = bucket
        self.address = address
        self.agent = agent
        self.rooms: set[str] = set()
        self.connected_s = self.active_s = self.ponged_s = time.monotonic()
        self.connected_ms = time.time_ns() // 1_000_000
        self.gone = False
        self.why = ""

    def write(self, frame: bytes) -> None:
        """Hand a whole WebSocket frame to the transport; a connection that is over takes nothing."""
        transport = self.transport
        if self.gone or transport.is_closing():
            return
        transport.write(frame)
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.info("connection %s does not read: %d bytes unsent", self.id, transport.get_write_buffer_size())
            self.close(1013, "too slow")

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame and let go after `GIVE_UP_S`, whether the client answered or not."""
        if self.gone or self.transport.is_closing():
            return
        self.transport.write(close_frame(code, reason))
        self.gone = True
        self.why = reason
        asyncio.get_running_loop().call_later(GIVE_UP_S, self.transport.abort)

    def cut(self) -> None:
        """End it now, with no close frame: the client does not answer anyway."""
        self.gone = True
        self.why = "no pong"
        self.transport.abort()

    def listed(self) -> dict[str, Any]:
        """The connection as `GET /connections` shows it."""
        return {
            "connectionId": self.id,
            "clientId": self.client,
            "userId": self.identity.user,
            "tenant": self.identity.tenant,
            "connectedAt": self.connected_ms,
            "rooms": sorted(self.rooms),
        }
