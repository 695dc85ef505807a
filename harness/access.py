"""How a connection gets in: its url, headers and subprotocols, with templates and secrets filled in at the last moment.

It must not know sockets or records. The subtle thing: secrets are read from the environment when a connection is
made and leave this module only towards the socket; nothing here has a `repr` that shows them.
"""

import os
import re
import time
from collections.abc import Mapping
from typing import NamedTuple

import jwt
from websockets.uri import WebSocketURI, parse_uri

from .errors import UsageError
from .model import connection_key
from .plan import MASK, Auth, Endpoint

ENVIRONMENT = re.compile(r"\$\{(\w+)\}")
TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
AUDIENCE = "squall"


class Entry(NamedTuple):
    """What one upgrade request says."""

    uri: WebSocketURI
    headers: dict[str, str]
    subprotocols: tuple[str, ...]


class Access:
    """The way in of one run.

    Raises:
        UsageError: an environment variable that the plan names is not set.
    """

    def __init__(self, endpoint: Endpoint, nonce: str) -> None:
        self._endpoint = endpoint
        self._nonce = nonce
        self._url = expand(endpoint.url, "endpoint.url")
        self._headers = {name: expand(value, f"endpoint.headers.{name}") for name, value in endpoint.headers.items()}
        self._secret = secret(endpoint.auth, "endpoint.auth")
        self._plain = None if "{" in self._url else parse_uri(self._url)

    @property
    def port(self) -> int:
        """Where the endpoint listens."""
        return parse_uri(fill(self._url, dict.fromkeys(("session", "conn", "key"), "0"))).port

    def conceal(self, text: str) -> str:
        """The text without what looks like a token or is our secret: a refusal may echo what it refused."""
        if self._secret:
            text = text.replace(self._secret, MASK)
        return TOKEN.sub(MASK, text)

    def entry(self, session: int, conn: int) -> Entry:
        """The upgrade request of this session's how-manieth connection."""
        fields = {"session": str(session), "conn": str(conn), "key": connection_key(self._nonce, session, conn)}
        url = fill(self._url, fields)
        headers = {name: fill(value, fields) for name, value in self._headers.items()}
        subprotocols = self._endpoint.subprotocols
        auth = self._endpoint.auth
        token = credential(auth, self._secret, fields)
        if token and auth.via == "header":
            headers.setdefault("Authorization", f"Bearer {token}")
        elif token and auth.via == "query":
            url += ("&" if "?" in url else "?") + f"token={token}"
        elif token:
            subprotocols = (*subprotocols, "bearer", token)
        uri = self._plain if self._plain is not None and "token=" not in url else parse_uri(url)
        return Entry(uri, headers, subprotocols)


def credential(auth: Auth, held: str, fields: Mapping[str, str]) -> str:
    """The token of one connection: given, or a JWT minted now with the plan's claims ("" when there is none)."""
    if auth.kind != "jwt":
        return held
    now = int(time.time())
    claims = {
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + round(auth.ttl_s),
        **{name: fill(value, fields) if isinstance(value, str) else value for name, value in auth.claims.items()},
    }
    return jwt.encode(claims, held, algorithm=auth.algorithm)


def secret(auth: Auth, where: str) -> str:
    """The secret that `auth` names, out of the environment.

    Raises:
        UsageError: it is not set.
    """
    if auth.kind == "none":
        return ""
    name = auth.token_env if auth.kind == "token" else auth.secret_env
    return _environment(name, where)


def expand(text: str, where: str) -> str:
    """Replace every ${NAME} by the environment's value.

    Raises:
        UsageError: one is not set.
    """
    return ENVIRONMENT.sub(lambda found: _environment(found[1], where), text)


def fill(text: str, fields: Mapping[str, str]) -> str:
    """Replace {session}, {conn} and {key}; other braces stay."""
    if "{" in text:
        for name, value in fields.items():
            text = text.replace(f"{{{name}}}", value)
    return text


def _environment(name: str, where: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise UsageError(f"{where} wants the environment variable {name}, which is not set: export {name}=...")
    return value
