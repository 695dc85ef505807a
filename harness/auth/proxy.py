"""The plan's proxy, read once for all that goes through it: the connections, and a login before them.

Credentials only ever come from the environment, and the redaction learns them.
"""

import base64
from typing import NamedTuple

from ..plan import Endpoint
from .redaction import Redaction
from .templates import expand


class Proxy(NamedTuple):
    """Where the proxy listens, and what it wants to know ("": nothing)."""

    host: str
    port: int
    user: str
    password: str

    @property
    def basic(self) -> str:
        """User and password as a header value (RFC 7617)."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def proxy_of(endpoint: Endpoint, redaction: Redaction | None = None) -> Proxy | None:
    """`endpoint.proxy`; None where there is none.

    Raises:
        UsageError: an environment variable is not set.
    """
    if not endpoint.proxy:
        return None
    netloc = endpoint.proxy.removeprefix("http://").rstrip("/")
    login, _, host = netloc.rpartition("@")
    port = host.rpartition(":")[2] if not host.endswith("]") and ":" in host else "80"
    user, _, password = login.replace("}:${", "}\n${").partition("\n")
    proxy = Proxy(
        endpoint.proxy_host, int(port), expand(user, "endpoint.proxy", redaction),
        expand(password, "endpoint.proxy", redaction),
    )  # fmt: skip
    if redaction is not None and proxy.user:
        redaction.add(proxy.basic)
    return proxy
