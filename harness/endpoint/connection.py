"""One client's connection as the endpoint sees it: identity, times, rooms, and how to write to it.

Writes go straight to the transport and never wait, so a slow client cannot delay a room. What the client does not read
is kept here, and beyond a bound a policy decides.
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from .envelope import close_frame
from .throttle import Bucket
from .tokens import Identity

log = logging.getLogger("squall.endpoint")

GIVE_UP_S = 2.0
"""How long a client may take to answer a close before its connection is cut."""


class Connection:
    """An open connection. Times are monotonic seconds, except `connected_ms` (wall clock, ms).

    `overflow` is called when more than `limit_bytes` wait to be sent. `why` is why the endpoint ended it, one of a few
    fixed phrases; empty until then.
    """

    __slots__ = (
        "_held",
        "_held_bytes",
        "active_s",
        "address",
        "agent",
        "bucket",
        "client",
        "connected_ms",
        "connected_s",
        "expires_s",
        "gone",
        "id",
        "identity",
        "limit_bytes",
        "overflow",
        "paused",
        "ponged_s",
        "rooms",
        "transport",
        "violations",
        "why",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        identity: Identity,
        client: str,
        bucket: Bucket,
        address: str,
        agent: str,
        limit_bytes: int,
        overflow: "Callable[[Connection], None]",
    ) -> None:
        self.id = secrets.token_urlsafe(11) + "="
        self.transport = transport
        self.identity = identity
        self.client = client
        self.bucket = bucket
        self.address = address
        self.agent = agent
        self.limit_bytes = limit_bytes
        self.overflow = overflow
        self.rooms: set[str] = set()
        self.connected_s = self.active_s = self.ponged_s = time.monotonic()
        self.connected_ms = time.time_ns() // 1_000_000
        self.expires_s = self.connected_s + identity.expires - time.time()
        self.violations = 0
        self.paused = False
        self.gone = False
        self.why = ""
        self._held: deque[bytes] | None = None
        self._held_bytes = 0

    def write(self, frame: bytes) -> None:
        """Write a whole WebSocket frame; a connection that has ended drops it."""
        if self.gone or self.transport.is_closing():
            return
        if not self.paused:
            self.transport.write(frame)
            return
        if self._held is None:
            self._held = deque()
        self._held.append(frame)
        self._held_bytes += len(frame)
        if self.unsent_bytes > self.limit_bytes:
            self.overflow(self)

    @property
    def unsent_bytes(self) -> int:
        """How many bytes wait to be sent."""
        return self._held_bytes + self.transport.get_write_buffer_size()

    def pause(self) -> None:
        """The transport is full: keep frames here."""
        self.paused = True

    def resume(self) -> None:
        """The transport has room: write the frames that were kept."""
        self.paused = False
        held = self._held
        while held and not self.paused and not self.gone:
            frame = held.popleft()
            self._held_bytes -= len(frame)
            self.transport.write(frame)  # may pause us again
        if not held:
            self._held = None

    def drop_oldest(self) -> int:
        """Drop waiting frames, oldest first, until the limit holds; the number of dropped frames."""
        dropped = 0
        while self._held and self.unsent_bytes > self.limit_bytes:
            self._held_bytes -= len(self._held.popleft())
            dropped += 1
        return dropped

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, and disconnect after `GIVE_UP_S` whether the client answered or not."""
        if self.gone or self.transport.is_closing():
            return
        self.transport.write(close_frame(code, reason))
        self.gone = True
        self.why = reason
        self._held = None
        asyncio.get_running_loop().call_later(GIVE_UP_S, self.transport.abort)

    def cut(self, why: str = "no pong") -> None:
        """Disconnect at once without a close frame: the client does not answer anyway."""
        self.gone = True
        self.why = why
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
