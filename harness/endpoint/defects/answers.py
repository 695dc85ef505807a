"""Defects of answers: acknowledgements, errors, ids, and what becomes of events that could not be stored."""

import asyncio
from collections import deque
from collections.abc import Sequence
from random import Random

from .. import envelope
from ..connection import Connection
from ..pipeline import Job
from ..policies import Frame, Policies
from ..refusal import Refused
from ..state import DeadLetter, Event, Store
from .registry import defect

REMEMBERED = 10_000


def is_ack(frame: Frame) -> bool:
    """Whether a frame is an acknowledgement."""
    return frame.get("action") == "ack"


def code_of(frame: Frame) -> int:
    """The code of an error frame; 0 for any other."""
    payload = frame.get("payload")
    return int(payload.get("code", 0)) if frame.get("action") == "error" and isinstance(payload, dict) else 0


@defect("ack-late", "sends every acknowledgement late, by this many ms", default=500, limits=(1, 60_000))
def ack_late(policies: Policies, delay_ms: float, _chance: Random) -> Policies:
    """Wait before each acknowledgement."""

    def reply(connection: Connection, frame: Frame) -> None:
        if is_ack(frame):
            asyncio.get_running_loop().call_later(delay_ms / 1000, policies.reply, connection, frame)
        else:
            policies.reply(connection, frame)

    return policies._replace(reply=reply)


@defect("ack-never", "never acknowledges this share of requests", default=0.01)
def ack_never(policies: Policies, share: float, chance: Random) -> Policies:
    """Leave some requests unacknowledged."""

    def reply(connection: Connection, frame: Frame) -> None:
        if not is_ack(frame) or chance.random() >= share:
            policies.reply(connection, frame)

    return policies._replace(reply=reply)


@defect("ack-early", "acknowledges a message before storing it, and reports no error if storing fails")
def ack_early(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Acknowledge a message that has only been queued."""
    acknowledged: deque[str] = deque(maxlen=REMEMBERED)

    def queued(job: Job) -> None:
        policies.queued(job)
        acknowledged.append(job.event.id)
        policies.acknowledge(job, job.event)

    def reply(connection: Connection, frame: Frame) -> None:
        if code_of(frame) != 503 or frame.get("requestId") not in acknowledged:
            policies.reply(connection, frame)

    return policies._replace(queued=queued, acknowledge=lambda _job, _event: None, reply=reply)


@defect("wrong-id", "puts the id of the previous request into this share of acknowledgements", default=0.01)
def wrong_id(policies: Policies, share: float, chance: Random) -> Policies:
    """Mix up two requests, as a shared variable does."""
    last = [""]

    def reply(connection: Connection, frame: Frame) -> None:
        if is_ack(frame):
            before, last[0] = last[0], frame["requestId"]
            if before and chance.random() < share:
                frame = {**frame, "requestId": before}
        policies.reply(connection, frame)

    return policies._replace(reply=reply)


@defect("error-without-id", "does not say which request an error is about")
def error_without_id(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Leave the id out."""

    def reply(connection: Connection, frame: Frame) -> None:
        if frame.get("action") == "error":
            frame = {key: value for key, value in frame.items() if key != "requestId"}
        policies.reply(connection, frame)

    def throttled(connection: Connection, _payload: bytes) -> None:
        connection.write(envelope.encode(envelope.error(Refused(429, "too many requests"))))

    return policies._replace(reply=reply, throttled=throttled)


@defect("wrong-error-code", "answers malformed payloads with 500 instead of 400")
def wrong_error_code(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Report the client's fault as a fault of its own."""

    def reply(connection: Connection, frame: Frame) -> None:
        if code_of(frame) == 400:
            frame = {**frame, "payload": {"code": 500, "message": "internal server error"}}
        policies.reply(connection, frame)

    return policies._replace(reply=reply)


@defect("refuse-delivered", "refuses this share of messages with 503 but delivers them", default=0.01)
def refuse_delivered(policies: Policies, share: float, chance: Random) -> Policies:
    """Refuse a message after delivering it."""

    def acknowledge(job: Job, event: Event) -> None:
        if chance.random() < share:
            job.done(None)
        else:
            policies.acknowledge(job, event)

    return policies._replace(acknowledge=acknowledge)


@defect("version-missing", "leaves the version out of the frames that it sends")
def version_missing(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Send envelopes without the version."""

    def bare(frame: Frame) -> Frame:
        return {key: value for key, value in frame.items() if key != "version"}

    return policies._replace(
        reply=lambda connection, frame: policies.reply(connection, bare(frame)),
        message=lambda event: bare(policies.message(event)),
    )


@defect("dead-letters-dropped", "keeps no dead letters: messages that could not be stored are gone")
def dead_letters_dropped(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Store no dead letters."""

    async def bury(_store: Store, _letters: Sequence[DeadLetter]) -> None:
        return

    return policies._replace(bury=bury)
