"""The envelope: from JSON text to a request, from answers to bytes. Pure; no socket, no state.

What Python's `json` tolerates is refused here (duplicate keys, NaN, numbers beyond a double, lone surrogates, deep
nesting), because a malformed payload reaches another client when two parsers read it differently.
"""

import json
import math
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from .refusal import Refused
from .routing import Routes
from .schemas import Schemas
from .settings import MAX_DEPTH
from .state import Event

VERSION = "1.0"
_encode = msgspec.json.Encoder().encode
MAX_ID_CHARS = 128

# RFC 6455 section 5.2: FIN with an opcode; a server never masks.
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A


class Request(NamedTuple):
    """One accepted frame of a client. `room` and `text` are empty if the action has none."""

    action: str
    id: str
    room: str
    text: str


def read(payload: bytes, schemas: Schemas, routes: Routes) -> Request:
    """Read, route and validate one client frame.

    Raises:
        Refused: 400 with a short reason, and with the request id if it can be read from the frame.
    """
    try:
        frame = parse(payload)
        if not isinstance(frame, dict):
            raise Refused(400, "the frame is not an object")
    except Refused:
        routes.fallen()
        raise
    action = routes.action(frame)
    request_id, room = text_at(frame, "requestId"), text_at(frame, "roomId")
    version = frame.get("version")
    if version != VERSION:
        raise Refused(400, "unknown version", detail=f"version {version!r:.80}", request_id=request_id, room=room)
    schema = schemas.get(action) if action is not None else None
    if action is None or schema is None:
        detail = f"action {frame.get('action')!r:.80}"
        raise Refused(400, "unknown action", detail=detail, request_id=request_id, room=room)
    if not schema.is_valid(frame):
        detail = next((f"{error.message:.200}" for error in schema.iter_errors(frame)), "")
        raise Refused(400, "invalid frame", detail=detail, request_id=request_id, room=room)
    return Request(action, frame["requestId"], frame.get("roomId", ""), frame.get("payload", {}).get("text", ""))


def parse(payload: bytes) -> Any:
    """Read strict JSON.

    Raises:
        Refused: 400 for what is not JSON, or is JSON on which parsers disagree.
    """
    try:
        # Decoded here: `json` would guess UTF-16 and UTF-32, and accept a byte order mark.
        value = json.loads(
            payload.decode(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
        if payload.count(b"{") + payload.count(b"[") > MAX_DEPTH:
            _limit_depth(value, MAX_DEPTH)
        if b"\\u" in payload:
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate cannot be sent
    except (ValueError, RecursionError) as error:
        raise Refused(400, "not valid JSON", detail=str(error), request_id=salvage_id(payload)) from None
    return value


def text_at(frame: Mapping[str, Any], key: str) -> str | None:
    """The text under a key, if it is text and short enough to be echoed."""
    value = frame.get(key)
    return value if isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS else None


_REQUEST_ID = re.compile(rb'"requestId"\s*:\s*"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,128})"')


def salvage_id(payload: bytes) -> str | None:
    """The request id of a frame that is not valid JSON, if it is still recognisable."""
    found = _REQUEST_ID.search(payload)
    return found[1].decode() if found else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate key")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


def _limit_depth(value: Any, left: int) -> None:
    if isinstance(value, dict | list):
        if left == 0:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        for item in value.values() if isinstance(value, dict) else value:
            _limit_depth(item, left - 1)


def now_ms() -> int:
    """Wall-clock time in ms since 1970, as frames carry it."""
    return time.time_ns() // 1_000_000


def ack(request: Request) -> dict[str, Any]:
    """The acknowledgement of a request."""
    frame = {"version": VERSION, "action": "ack", "requestId": request.id, "timestamp": now_ms()}
    return frame | {"roomId": request.room} if request.room else frame


def pong(request: Request) -> dict[str, Any]:
    """The answer to an application-level ping."""
    return {"version": VERSION, "action": "pong", "requestId": request.id, "timestamp": now_ms()}


def message(event: Event) -> dict[str, Any]:
    """The frame that every member of the room gets."""
    return {
        "version": VERSION,
        "action": "message",
        "requestId": event.id,
        "roomId": event.room,
        "payload": {"text": event.text, "sender": event.sender},
        "timestamp": event.timestamp_ms,
        "seq": event.seq,
    }


def error(refused: Refused) -> dict[str, Any]:
    """The error frame of a refusal, with the request's id and room if they are known."""
    frame: dict[str, Any] = {"version": VERSION, "action": "error", "timestamp": now_ms()}
    if refused.request_id is not None:
        frame["requestId"] = refused.request_id
    if refused.room is not None:
        frame["roomId"] = refused.room
    return frame | {"payload": {"code": refused.code, "message": refused.message}}


def gateway_frame(message: str, connection_id: str) -> bytes:
    """The gateway's own frame, in its own spelling, for a request that does not reach the application."""
    return b'{"message": "%s", "connectionId":"%s", "requestId":"%s"}' % (
        message.encode(),
        connection_id.encode(),
        f"{secrets.token_urlsafe(11)}=".encode(),
    )


def text(frame: Mapping[str, Any]) -> bytes:
    """A frame as JSON text."""
    return _encode(frame)


def encode(frame: Mapping[str, Any]) -> bytes:
    """A frame as wire bytes, header included."""
    return wire(TEXT, _encode(frame))


def wire(first_byte: int, payload: bytes = b"") -> bytes:
    """An unmasked WebSocket frame (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((first_byte, size)) + payload
    if size < 65536:
        return bytes((first_byte, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first_byte, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame with its code and a reason of at most 123 bytes."""
    return wire(CLOSE, code.to_bytes(2, "big") + reason.encode()[:123])
