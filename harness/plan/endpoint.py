"""`[endpoint]`: the system under test: where it is, which protocol it speaks, how to authenticate.

A proxy's credentials, like all secrets, can only be given as `${NAME}`.
"""

import re
from ipaddress import ip_network
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from ..errors import PlanError
from ..placeholders import check, names
from .auth import PER_CONNECTION, Auth, NoAuth, templates_of
from .codes import Code, check_code
from .dialect_registry import dialect_of
from .masking import mask_url
from .rest import Rest
from .section import Count, Positive, Section, Template
from .transport import Deflate, Tls

EMBEDDED = "embedded"
PING_TIMEOUT_S = 20.0
SOURCES = 1 << 16
TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
PER_CONNECTION_KEYS = ("url", "query", "headers", "cookies")
"""What is filled in for each connection."""
CREDENTIALS = re.compile(r"(\$\{\w+\})(:\$\{\w+\})?")


class Match(Section, frozen=True, kw_only=True):
    """How one kind of frame is recognised and where its fields stand.

    `match` maps a path to a value, to "*" for any, or to a list of alternatives.
    """

    match: dict[str, Any]
    id: str = ""
    room: str = ""
    sender: str = ""
    code: str = ""
    reason: str = ""


class DeliveryMatch(Match, frozen=True, kw_only=True):
    """How a delivery is recognised. `text` is where the text that was published stands; "" looks in likely places."""

    text: str = ""


class ErrorMatch(Match, frozen=True, kw_only=True):
    """How one kind of error is recognised. `fixed_code` is its code where `code` is not given or finds nothing."""

    fixed_code: Code | None = None

    def __post_init__(self) -> None:
        check_code("endpoint.json.error.fixed_code", self.fixed_code)


class JsonDialect(Section, frozen=True, kw_only=True):
    """A JSON protocol described entirely in the plan: what to send for an intent, how to read what comes.

    An absent intent is not sent: without `join` a session is a member from the moment it is open, and without `publish`
    sessions hold their connections and listen.
    `acks` says how a publish is confirmed: by a frame matching `ack`, by the sender's own delivery, or not at all.
    `error` is one table or several, tried in order.
    """

    publish: Template | None = None
    delivery: DeliveryMatch
    join: Template | None = None
    leave: Template | None = None
    ping: Template | None = None
    ack: Match | None = None
    error: ErrorMatch | tuple[ErrorMatch, ...] = ()
    pong: Match | None = None
    acks: Literal["frame", "delivery", "none"] = "frame"

    def __post_init__(self) -> None:
        if self.acks == "frame" and self.ack is None and self.publish is not None:
            raise PlanError(
                'endpoint.json: acks = "frame" needs [endpoint.json.ack]; or set acks = "delivery" or "none"'
            )
        if (self.join is not None or self.leave is not None) and self.ack is None:
            raise PlanError("endpoint.json: join and leave are confirmed by a frame: give [endpoint.json.ack]")

    @property
    def errors(self) -> tuple[ErrorMatch, ...]:
        """The kinds of error, in the order in which they are tried."""
        return (self.error,) if isinstance(self.error, ErrorMatch) else self.error


class Endpoint(Section, frozen=True, kw_only=True):
    """The system under test: where it is, what it speaks, how to get in.

    `url`, `query`, `headers` and `cookies` may hold {session}, {conn}, {key} (this connection's name in the endpoint's
    list), {room} (the session's room: a connection then is to one room) and ${ENV}.
    `order` "fifo" says that answers come in the order of the requests, so that one without an id belongs to the oldest
    open request.
    `serve` holds options of `squall serve` for the embedded endpoint, by their long names without the dashes.
    """

    url: str = EMBEDDED
    dialect: str = "envelope"
    auth: Auth = NoAuth()
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}
    subprotocols: tuple[str, ...] = ()
    open_timeout_s: Positive = 10.0
    answer_timeout_s: Positive = 10.0
    order: Literal["any", "fifo"] = "any"
    max_message_bytes: Count = 1 << 20
    max_frame_bytes: Count | None = None
    ping_every_s: Positive | None = None
    ping_timeout_s: Positive | None = None
    tls: Tls | None = None
    deflate: Deflate | None = None
    proxy: str = ""
    source_addresses: tuple[str, ...] = ()
    json: JsonDialect | None = None
    rest: Rest = Rest()
    serve: dict[str, str | int | float | list[str]] = {}

    def __post_init__(self) -> None:
        if self.url != EMBEDDED:
            parts = _split("endpoint.url", self.url)
            if parts.scheme not in ("ws", "wss") or not parts.hostname:
                raise PlanError(
                    f'endpoint.url: "{mask_url(self.url)}" is not a WebSocket url; '
                    f'write ws://host:port/path, or "{EMBEDDED}" for the reference endpoint'
                )
            if self.serve:
                raise PlanError(f'endpoint.serve: only the embedded endpoint (url = "{EMBEDDED}") takes it')
        if lacking := dialect_of(self.dialect).why_not(self):
            raise PlanError(f'endpoint.dialect: "{self.dialect}" {lacking}')
        if self.tls is not None and not self.is_secure:
            raise PlanError("endpoint.tls: only a wss:// url speaks TLS")
        self._check_pings()
        self._check_proxy()
        for source in self.source_addresses:
            try:
                network = ip_network(source)
            except ValueError as error:
                raise PlanError(f"endpoint.source_addresses: {error}; write 10.0.0.5 or 10.0.0.0/28") from None
            if network.num_addresses > SOURCES:
                raise PlanError(f"endpoint.source_addresses: {source} has more than {SOURCES} addresses")
        for key in PER_CONNECTION_KEYS:
            check(getattr(self, key), PER_CONNECTION, f"endpoint.{key}", environment=True)
        _check_names("headers", self.headers)
        _check_names("cookies", self.cookies)

    def _check_pings(self) -> None:
        if self.ping_every_s is None:
            if self.ping_timeout_s is not None:
                raise PlanError("endpoint: ping_timeout_s goes with ping_every_s")
        elif self.ping_timeout_s is not None and self.ping_timeout_s > self.ping_every_s:
            raise PlanError("endpoint: ping_timeout_s is at most ping_every_s: one ping is under way at a time")

    def _check_proxy(self) -> None:
        if not self.proxy:
            return
        parts = _split("endpoint.proxy", self.proxy)
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
            raise PlanError(f'endpoint.proxy: "{mask_url(self.proxy)}" is not a proxy; write http://host:port')
        if self.is_embedded:
            raise PlanError("endpoint.proxy: the embedded endpoint is here; give a url")
        user = parts.netloc.rpartition("@")[0]
        if user and not CREDENTIALS.fullmatch(user):
            raise PlanError(
                "endpoint.proxy: keep credentials in the environment: http://${PROXY_USER}:${PROXY_PASSWORD}@host:port"
            )

    @property
    def is_secure(self) -> bool:
        """Whether it speaks TLS."""
        return self.url.startswith("wss:")

    @property
    def ping_within_s(self) -> float:
        """How long a pong may take."""
        return self.ping_timeout_s or min(PING_TIMEOUT_S, self.ping_every_s or PING_TIMEOUT_S)

    @property
    def is_embedded(self) -> bool:
        """Whether the run starts the reference endpoint itself."""
        return self.url == EMBEDDED

    @property
    def room_key(self) -> str:
        """The key whose text holds {room}, so that a connection is to one room; "" when there is none."""
        for key in PER_CONNECTION_KEYS:
            if "room" in names(getattr(self, key), environment=True):
                return f"endpoint.{key}"
        return "endpoint.auth" if "room" in names(templates_of(self.auth), environment=True) else ""

    @property
    def needs_room(self) -> bool:
        """Whether a message of this dialect says which room it is for."""
        return dialect_of(self.dialect).needs_room(self)

    @property
    def host(self) -> str:
        """The host that load and chaos go to."""
        return "127.0.0.1" if self.is_embedded else urlsplit(self.url).hostname or ""

    @property
    def proxy_host(self) -> str:
        """The proxy's host; "" without one."""
        return urlsplit(self.proxy).hostname or ""


def _split(key: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError as error:
        raise PlanError(f'{key}: "{mask_url(url)}": {error}') from None
    return parts


def _check_names(key: str, values: dict[str, str]) -> None:
    """Header and cookie names are tokens (RFC 9110 5.6.2), and no value breaks its line."""
    for name, value in values.items():
        if not TOKEN.fullmatch(name):
            raise PlanError(f'endpoint.{key}: "{name}" is not a name that HTTP allows')
        if CONTROL.search(value):
            raise PlanError(f"endpoint.{key}.{name}: the value holds a control character")
