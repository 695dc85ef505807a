"""The registered defects. Importing this module fills `defects.REGISTRY`."""

import json
from random import Random

from .connection import Connection
from .defects import defect
from .envelope import Request
from .parts import Frame, Parts
from .refusal import Refused
from .throttle import Bucket

ROOM_ACTIONS = ["joinRoom", "leaveRoom", "sendMessage"]


@defect("lose", "loses this share of deliveries", default=0.01)
def lose(parts: Parts, share: float, chance: Random) -> Parts:
    """Skip some deliveries."""

    def deliver(connection: Connection, frame: bytes) -> None:
        if chance.random() >= share:
            parts.deliver(connection, frame)

    return parts._replace(deliver=deliver)


@defect("duplicate", "delivers this share of deliveries twice", default=0.01)
def duplicate(parts: Parts, share: float, chance: Random) -> Parts:
    """Repeat some deliveries."""

    def deliver(connection: Connection, frame: bytes) -> None:
        parts.deliver(connection, frame)
        if chance.random() < share:
            parts.deliver(connection, frame)

    return parts._replace(deliver=deliver)


@defect("stale-never", "never notices a client that vanished without a close frame: it stays listed for ever")
def stale_never(parts: Parts, _value: float, _chance: Random) -> Parts:
    """No ping time-out, and an end without a handshake goes unnoticed."""
    return parts._replace(
        silent=lambda _hub, _connection: None,
        ended=lambda hub, connection, clean: parts.ended(hub, connection, clean) if clean else None,
    )


class Bottomless(Bucket):
    """A bucket that never runs dry."""

    def take(self, now_s: float) -> bool:
        """Always."""
        return True


@defect("throttle-off", "accepts any number of messages")
def throttle_off(parts: Parts, _value: float, _chance: Random) -> Parts:
    """No limit."""
    return parts._replace(bucket=lambda now_s: Bottomless(1.0, 1, now_s))


@defect("schema-off", "accepts and acknowledges malformed payloads, even such as are not JSON")
def schema_off(parts: Parts, _value: float, _chance: Random) -> Parts:
    """Make of a refused frame whatever request can be made of it."""

    def read(payload: bytes) -> Request:
        try:
            return parts.read(payload)
        except Refused as refused:
            return guess(payload, refused)

    def reply(connection: Connection, frame: Frame) -> None:
        payload = frame.get("payload")
        if isinstance(payload, dict) and payload.get("code") == 400:
            frame = {key: value for key, value in frame.items() if key != "payload"} | {"action": "ack"}
        parts.reply(connection, frame)

    return parts._replace(read=read, reply=reply)


def guess(payload: bytes, refused: Refused) -> Request:
    """The request that a careless endpoint would see in a malformed payload.

    Raises:
        Refused: as it came, when there is nothing to be done with it (and then it is acknowledged all the same).
    """
    try:
        frame = json.loads(payload.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise refused from None
    if not isinstance(frame, dict) or frame.get("action") not in ROOM_ACTIONS:
        raise refused
    body = frame.get("payload")
    text = body.get("text") if isinstance(body, dict) else body
    return Request(frame["action"], plain(frame.get("requestId")), plain(frame.get("roomId")), plain(text))


def plain(value: object) -> str:
    """Any JSON value as text that can be sent."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
