"""`[endpoint]`: the system under test: where it is, what it speaks, how to get in.

It must not know how a connection is made.
"""

from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from ..errors import PlanError
from .auth import Auth, NoAuth
from .masking import mask_url
from .rest import Rest
from .section import Count, Positive, Section

EMBEDDED = "embedded"


class Match(Section, frozen=True, kw_only=True):
    """How one kind of frame is recognised (`match`: path -> value, "*" for any) and where its fields stand."""

    match: dict[str, Any]
    id: str = ""
    room: str = ""
    sender: str = ""
    code: str = ""
    reason: str = ""


class JsonDialect(Section, frozen=True, kw_only=True):
    """A JSON protocol described entirely in the plan: what to send for an intent, how to read what comes.

    An absent intent is not sent: without `join` a session is a member from the moment it is open.
    `acks` says how a publish is confirmed: by a frame matching `ack`, by the sender's own delivery, or not at all.
    """

    publish: dict[str, Any]
    delivery: Match
    join: dict[str, Any] | None = None
    leave: dict[str, Any] | None = None
    ping: dict[str, Any] | None = None
    ack: Match | None = None
    error: Match | None = None
    pong: Match | None = None
    acks: Literal["frame", "delivery", "none"] = "frame"

    def __post_init__(self) -> None:
        if self.acks == "frame" and self.ack is None:
            raise PlanError(
                'endpoint.json: acks = "frame" needs [endpoint.json.ack]; or set acks = "delivery" or "none"'
            )
        if self.acks != "frame" and (self.join is not None or self.leave is not None) and self.ack is None:
            raise PlanError("endpoint.json: join and leave are confirmed by a frame: give [endpoint.json.ack]")


class Endpoint(Section, frozen=True, kw_only=True):
    """The system under test: where it is, what it speaks, how to get in.

    `url` and `headers` may hold {session}, {conn}, {key} (this connection's name in the endpoint's list) and ${ENV}.
    `serve` holds options of `squall serve` for the embedded endpoint, by their long names without the dashes.
    """

    url: str = EMBEDDED
    dialect: Literal["envelope", "json"] = "envelope"
    auth: Auth = NoAuth()
    headers: dict[str, str] = {}
    subprotocols: tuple[str, ...] = ()
    open_timeout_s: Positive = 10.0
    answer_timeout_s: Positive = 10.0
    max_message_bytes: Count = 1 << 20
    json: JsonDialect | None = None
    rest: Rest = Rest()
    serve: dict[str, str | int | float | list[str]] = {}

    def __post_init__(self) -> None:
        if self.url != EMBEDDED:
            parts = urlsplit(self.url)
            if parts.scheme not in ("ws", "wss") or not parts.hostname:
                raise PlanError(
                    f'endpoint.url: "{mask_url(self.url)}" is not a WebSocket url; '
                    f'write ws://host:port/path, or "{EMBEDDED}" for the reference endpoint'
                )
            if parts.scheme == "wss":
                raise PlanError(
                    "endpoint.url: wss:// is not supported yet; use ws:// (a TLS proxy can stand before it)"
                )
            if self.serve:
                raise PlanError(f'endpoint.serve: only the embedded endpoint (url = "{EMBEDDED}") takes it')
        if self.dialect == "json" and self.json is None:
            raise PlanError('endpoint.dialect: "json" needs a table [endpoint.json] that describes the protocol')

    @property
    def is_embedded(self) -> bool:
        """Whether the run starts the reference endpoint itself."""
        return self.url == EMBEDDED

    @property
    def needs_room(self) -> bool:
        """Whether a message of this dialect says which room it is for."""
        return self.json is None or "{room}" in str(msgspec.to_builtins(self.json.publish))

    @property
    def host(self) -> str:
        """The host that load and chaos go to."""
        return "127.0.0.1" if self.is_embedded else urlsplit(self.url).hostname or ""
