"""The reference endpoint's protocol: an envelope with an action, a requestId, a roomId and a payload.

Client: joinRoom, leaveRoom, sendMessage, ping. Server: ack, message, pong, error. No code is shared with the reference
endpoint: two ends that share a codec can agree on a mistake. Subtle: an API Gateway in front of the endpoint sends
frames of its own, with no action, `{"message":"Forbidden","connectionId":..,"requestId":..}`; their requestId is the
gateway's and is not the id of any message of ours.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from ...plan.endpoint import Endpoint
from ...record.codes import code_number, code_text_of
from ...record.row import SignalKind
from ..dialect import REASON_CHARS, Message, garbled
from ..registry import dialect
from ..signal import Signal
from ..taken import Miss, Near, Taken, as_json
from ..texts import ABSENT

VERSION = "1.0"


class _Text(Struct, gc=False):
    text: str


class _Nothing(Struct, gc=False):
    pass


class _Request(Struct, gc=False):
    version: str
    action: str
    requestId: str
    roomId: str
    payload: _Text | _Nothing
    timestamp: int


class _Ping(Struct, gc=False):
    version: str
    action: str
    requestId: str
    payload: _Nothing
    timestamp: int


class _Payload(Struct, gc=False):
    """The part of a payload that a signal holds."""

    sender: str | None = None
    text: str | None = None
    code: Any = None
    message: str = ""


class _Response(Struct, gc=False):
    action: str | None = None
    requestId: str | None = None
    roomId: str | None = None
    payload: _Payload | None = None
    message: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Response).decode
_NOTHING, NO_PAYLOAD = _Nothing(), _Payload()
DELIVERY, ACK = SignalKind.DELIVERY, SignalKind.ACK  # looked up once: an enum's member takes 70 ns in Python 3.11

ACTIONS = {ACK: "ack", DELIVERY: "message", SignalKind.PONG: "pong", SignalKind.ERROR: "error"}
"""The action of each kind of frame."""
NEEDED = {ACK: ("id",), DELIVERY: ("id", "room"), SignalKind.PONG: ("id",), SignalKind.ERROR: ("id", "code")}
"""What each kind of frame should say."""
PLACES = {"id": "requestId", "room": "roomId", "code": "payload.code"}


class EnvelopeDialect:
    """The envelope, encoded and decoded through typed structs."""

    acks: Literal["frame", "delivery", "none"] = "frame"
    joins = True
    leaves = True
    pings = True
    plain_ids = False

    def join(self, message: Message) -> bytes:
        """A joinRoom request."""
        return _encode(
            _Request(VERSION, "joinRoom", message.id, message.room, _NOTHING, message.timestamp_ms),
        )

    def leave(self, message: Message) -> bytes:
        """A leaveRoom request."""
        return _encode(
            _Request(VERSION, "leaveRoom", message.id, message.room, _NOTHING, message.timestamp_ms),
        )

    def publish(self, message: Message) -> bytes:
        """A sendMessage request."""
        return _encode(
            _Request(VERSION, "sendMessage", message.id, message.room, _Text(message.text), message.timestamp_ms),
        )

    def ping(self, message: Message) -> bytes:
        """A ping request, without a room."""
        return _encode(_Ping(VERSION, "ping", message.id, _NOTHING, message.timestamp_ms))

    def decode(self, data: bytes) -> tuple[Signal, ...]:
        """One signal; GARBLED for what is not an envelope, OTHER for an unknown action."""
        try:
            frame = _decode(data)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return garbled(f"not an envelope: {error}")
        action = frame.action
        if action == "message":
            payload = frame.payload or NO_PAYLOAD
            text = payload.text if payload.text is not None else ABSENT
            return (Signal(DELIVERY, frame.requestId, frame.roomId, payload.sender, text=text),)
        if action == "ack":
            return (Signal(ACK, frame.requestId, frame.roomId),)
        return _uncommon(frame)

    def explain(self, data: bytes) -> tuple[Taken, ...]:
        """The action that the frame names, its fields, and which of them are missing."""
        signal = self.decode(data)[0]
        if signal.kind is SignalKind.GARBLED:
            return (Taken(kind=signal.kind, why=signal.reason),)
        if signal.kind is SignalKind.OTHER:
            known = " or ".join(f'"{action}"' for action in ACTIONS.values())
            miss = Miss("", "action", known, as_json(signal.reason))
            return (Taken(kind=signal.kind, near=(Near("a frame that is known", (miss,)),)),)
        rule = ACTIONS[signal.kind]
        read = {"id": signal.id, "room": signal.room, "sender": signal.sender, "reason": signal.reason or None}
        fields = {name: text for name, text in read.items() if text}
        if signal.code:
            fields["code"] = code_text_of(signal.code)
        missing = tuple(Miss("", PLACES[name]) for name in NEEDED[signal.kind] if name not in fields)
        return (Taken(kind=signal.kind, rule=rule, fields=fields, missing=missing),)


def _uncommon(frame: _Response) -> tuple[Signal, ...]:
    if frame.action == "pong":
        return (Signal(SignalKind.PONG, frame.requestId),)
    if frame.action == "error":
        payload = frame.payload or _Payload()
        code, reason = code_number(payload.code), payload.message[:REASON_CHARS]
        return (Signal(SignalKind.ERROR, frame.requestId or None, frame.roomId, code=code, reason=reason),)
    if frame.action is not None:
        return (Signal(SignalKind.OTHER, frame.requestId, frame.roomId, reason=frame.action[:REASON_CHARS]),)
    if frame.message is not None:
        return (Signal(SignalKind.ERROR, "", reason=frame.message[:REASON_CHARS]),)
    return garbled("an object with no action")


@dialect("envelope", needs_room=lambda _: True)
def make_envelope(_endpoint: Endpoint) -> EnvelopeDialect:
    """Make the dialect; the plan has no keys for it."""
    return EnvelopeDialect()
