"""Defects of validation: everything, or one kind of malformed payload, is accepted."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from ..connection import Connection
from ..envelope import Request
from ..policies import Frame, Policies
from ..refusal import Refused
from .registry import defect

ROOM_ACTIONS = ["joinRoom", "leaveRoom", "sendMessage"]
ENVELOPE_KEYS = {"version", "action", "requestId", "roomId", "payload", "timestamp"}
TEXT_CHARS = 100_000
SHALLOW = 3
"""The greatest depth of a valid frame: the frame, its payload, and one to spare."""


Forgive = Callable[[bytes, Refused], Request]
"""From a refused frame to the request that is made of it all the same; raises Refused if that is impossible."""


def forgiving(policies: Policies, forgive: Forgive) -> Policies:
    """The policies with a second, lenient reader for refused frames."""

    def read(payload: bytes) -> Request:
        try:
            return policies.read(payload)
        except Refused as refused:
            return forgive(payload, refused)

    return policies._replace(read=read)


@defect("schema-off", "accepts and acknowledges malformed payloads, even those that are not JSON")
def schema_off(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Make any request that can be made of a refused frame."""

    def reply(connection: Connection, frame: Frame) -> None:
        payload = frame.get("payload")
        if isinstance(payload, dict) and payload.get("code") == 400:
            frame = {key: value for key, value in frame.items() if key != "payload"} | {"action": "ack"}
        policies.reply(connection, frame)

    return forgiving(policies, guess)._replace(reply=reply)


@defect("schema-extra", "accepts keys that the schema does not know")
def schema_extra(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Ignore unknown keys."""

    def without_extra(payload: bytes, refused: Refused) -> Request:
        frame = lenient(payload, refused)
        body = frame.get("payload")
        known = {key: value for key, value in frame.items() if key in ENVELOPE_KEYS}
        if isinstance(body, dict):
            known["payload"] = {key: value for key, value in body.items() if key == "text"}
        return policies.read(json.dumps(known).encode())

    return forgiving(policies, without_extra)


@defect("schema-oversize", "accepts texts that are longer than the schema allows")
def schema_oversize(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Ignore the maximum length."""

    def at_full_length(payload: bytes, refused: Refused) -> Request:
        frame = lenient(payload, refused)
        body = frame.get("payload")
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str) or len(text) <= TEXT_CHARS:
            raise refused
        short = frame | {"payload": {**frame["payload"], "text": text[:TEXT_CHARS]}}
        return policies.read(json.dumps(short).encode())._replace(text=text)

    return forgiving(policies, at_full_length)


@defect("schema-deep", "accepts frames that are nested deeper than the schema allows")
def schema_deep(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Ignore the maximum depth."""

    def at_any_depth(payload: bytes, refused: Refused) -> Request:
        if depth(lenient(payload, refused)) <= SHALLOW:
            raise refused
        return guess(payload, refused)

    return forgiving(policies, at_any_depth)


def lenient(payload: bytes, refused: Refused) -> dict[str, Any]:
    """A refused frame as a careless parser reads it.

    Raises:
        Refused: the original refusal, if there is no object in it.
    """
    try:
        frame = json.loads(payload.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise refused from None
    if not isinstance(frame, dict):
        raise refused
    return frame


def guess(payload: bytes, refused: Refused) -> Request:
    """The request that a careless endpoint would see in a malformed payload.

    Raises:
        Refused: the original refusal, if no request can be made of it.
    """
    frame = lenient(payload, refused)
    if frame.get("action") not in ROOM_ACTIONS:
        raise refused
    body = frame.get("payload")
    text = body.get("text") if isinstance(body, dict) else body
    return Request(frame["action"], plain(frame.get("requestId")), plain(frame.get("roomId")), plain(text))


def plain(value: object) -> str:
    """Any JSON value as text that can be sent."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def depth(value: Any) -> int:
    """How deep containers are nested in a JSON value; json.loads has bounded it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)
