"""`auth`: how a connection, or the look at the connection list, proves who it is.

It must not know how a token is had. The subtle thing: secrets never stand here, only the names of the environment
variables that hold them.
"""

from typing import Any, Literal

from .section import Positive, Section


class Auth(Section, frozen=True, kw_only=True):
    """How a connection proves who it is. Secrets are read from the named environment variable when connecting."""

    kind: Literal["none", "token", "jwt"] = "none"
    token_env: str = "SQUALL_TOKEN"
    secret_env: str = "SQUALL_JWT_SECRET"
    algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    claims: dict[str, Any] = {}
    ttl_s: Positive = 3600.0
    via: Literal["header", "query", "subprotocol"] = "header"
