"""What all connections of a run share: the way to the endpoint, and how the conversation on it is to be held.

Frozen, made once (`connection_options`), and held by every connection by reference, so that an option that is off costs
a session nothing.
"""

import ssl
from dataclasses import dataclass, field

from websockets.extensions import ClientExtensionFactory

from ..units import SECOND

Address = tuple[int, tuple[str | int, ...]]
"""Family and address, as `resolve` found them."""
UNLIMITED = 1 << 62


@dataclass(frozen=True, slots=True)
class Route:
    """The way to the endpoint: whom to call, from where, through what."""

    addresses: tuple[Address, ...]
    """Of the endpoint, or of the proxy before it."""
    sources: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Addresses of ours to call from, by family; none: the kernel chooses."""
    proxy_request: bytes = b""
    """The whole CONNECT request; empty: no proxy."""
    tls: ssl.SSLContext | None = None
    server_name: str = ""

    def hop(self, number: int) -> tuple[Address, str]:
        """The address that session `number` calls and the one that it calls from ("": any), spread over all pairs."""
        address = self.addresses[number % len(self.addresses)]
        sources = self.sources.get(address[0])
        return address, sources[number // len(self.addresses) % len(sources)] if sources else ""


@dataclass(frozen=True, slots=True)
class Options:
    """How connections are opened and kept; sizes in bytes, times in nanoseconds."""

    route: Route
    open_timeout_ns: int = 10 * SECOND
    max_message_bytes: int = 1 << 20
    max_frame_bytes: int = UNLIMITED
    """A longer message of ours is sent in fragments."""
    extensions: tuple[ClientExtensionFactory, ...] = ()
    ping_every_ns: int = 0
    """0: no keepalive pings."""
    ping_timeout_ns: int = 0
