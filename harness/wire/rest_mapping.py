"""REST: the pure mapping from intents to HTTP requests, and from their answers to signals.

For the patterns that post (hybrid) or post and poll (polling). The dialect decodes the frames inside an answer; this
module only finds them. Nothing here raises because of an answer, since that is evidence. Subtle: a page that `limit`
cut short may report as `last` either the room's last message or its own, so where messages have numbers, the next poll
asks for what follows the last message of the page.
"""

from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import msgspec

from ..errors import PlanError
from ..paths import split, walk_undecoded
from ..placeholders import fill
from ..plan import Endpoint
from ..plan.section import Template
from ..record.codes import NO_CODE, code_number
from ..record.row import SignalKind
from .dialect import REASON_CHARS, Dialect, Message
from .exchange import Answer, Headers, Request
from .placeholders import compile_intent
from .signal import Signal

REFERENCE_BODY = {
    "version": "1.0",
    "requestId": "{id}",
    "payload": {"text": "{text}"},
    "timestamp": "{timestamp}",
}
BEGINNING = "0"
DIGITS = 100
"""A longer number is compared as text (Python reads no numbers of more than 4,300 digits)."""
JSON: Headers = (("Content-Type", "application/json"),)


class Page(NamedTuple):
    """The result of a poll: signals, each with its frame, the number of messages, and where the next poll continues."""

    signals: tuple[tuple[Signal, bytes], ...]
    messages: int
    after: str


class RestMapping:
    """The REST side of one endpoint. Stateless: one instance serves every session.

    Raises:
        PlanError: the body's template has an unknown placeholder, or there is none.
    """

    def __init__(self, endpoint: Endpoint, dialect: Dialect, base_path: str = "") -> None:
        described = endpoint.rest
        body: Template | None = described.body
        table, name = "endpoint.rest", "body"
        if body is None and endpoint.json is not None:
            body, table, name = endpoint.json.publish, "endpoint.json", "publish"
        template: Template = body if body is not None else REFERENCE_BODY
        self.body = compile_intent(name, template, table)
        self.plain_ids = "{seq}" in str(template)
        """Whether a post may name its message by the number alone."""
        self._dialect = dialect
        self._publish = base_path + described.publish
        self._poll = base_path + described.poll
        self._messages = split(described.messages)
        self._last = split(described.last)
        self._number = split(described.number)
        self._confirms = split(described.confirms)
        self._reason = split(described.reason)
        self._code = split(described.code)
        if not self._last and not self._number:
            raise PlanError("endpoint.rest: give last or number: a poll must learn what to ask after next")

    # -- requests -----------------------------------------------------------------------------------------------

    def post(self, room: str, body: bytes) -> Request:
        """The request that posts one body to a room."""
        return Request("POST", fill(self._publish, {"room": quote(room, safe="")}), JSON, body)

    def poll(self, room: str, after: str, limit: int, wait_s: float) -> Request:
        """The request for messages after `after`: at most `limit`, waiting up to `wait_s` seconds for the first one."""
        values = {
            "room": quote(room, safe=""), "after": quote(after, safe=""), "limit": str(limit), "wait": f"{wait_s:g}",
        }  # fmt: skip
        return Request("GET", fill(self._poll, values))

    # -- answers ------------------------------------------------------------------------------------------------

    def posted(self, id: str, answer: Answer) -> Signal:
        """The result of posting message `id`: ACK, ERROR or GARBLED.

        The code of an ERROR is the one in the answer, or else the status.
        """
        if not 200 <= answer.status < 300:
            refused = self.refused(answer)
            code = _code(walk_undecoded(answer.body, self._code)) if self._code else NO_CODE
            return refused if code == NO_CODE else Signal(SignalKind.ERROR, code=code, reason=refused.reason)
        if self._confirms:
            named = _text(walk_undecoded(answer.body, self._confirms))
            if named != id:
                said = f'names "{named[:40]}"' if named is not None else "names no message"
                return Signal(SignalKind.GARBLED, id, code=answer.status, reason=f"the answer {said}, not {id}")
        return Signal(SignalKind.ACK, id)

    def polled(self, answer: Answer, after: str) -> Page | Signal:
        """The page that a poll brought; ERROR or GARBLED if it cannot be read."""
        if answer.status != 200:
            return self.refused(answer)
        found = walk_undecoded(answer.body, self._messages)
        frames = _frames(found)
        if frames is None:
            return Signal(SignalKind.GARBLED, code=200, reason="a poll's answer holds no list of messages")
        number = _text(walk_undecoded(frames[-1], self._number)) if frames and self._number else None
        if number is None and self._last:
            number = _text(walk_undecoded(answer.body, self._last))
        if number is None and (frames or not after):
            return Signal(SignalKind.GARBLED, code=200, reason="a poll's answer does not say what to ask after next")
        signals = tuple((signal, frame) for frame in frames for signal in self._dialect.decode(frame))
        if number is None or (not frames and _is_past(number, after)):
            number = after
        return Page(signals, len(frames), number)

    def refused(self, answer: Answer) -> Signal:
        """The ERROR in an answer that is not a success."""
        reason = _text(walk_undecoded(answer.body, self._reason)) if self._reason else None
        if reason is None:
            reason = answer.body[:REASON_CHARS].decode("utf-8", "replace")
        return Signal(SignalKind.ERROR, code=answer.status, reason=reason[:REASON_CHARS])


class Posting:
    """A dialect whose publish is the body of a POST, for sessions of the hybrid pattern."""

    acks: Literal["frame", "delivery", "none"] = "frame"
    """The HTTP answer is the acknowledgement."""

    def __init__(self, dialect: Dialect, mapping: RestMapping) -> None:
        self.joins, self.leaves, self.pings = dialect.joins, dialect.leaves, dialect.pings
        self.join, self.leave, self.ping, self.decode = dialect.join, dialect.leave, dialect.ping, dialect.decode
        self.explain = dialect.explain
        self.plain_ids = dialect.plain_ids or mapping.plain_ids
        self.publish = mapping.body


class Polled(Posting):
    """A dialect for sessions of the polling pattern: the first poll of a room is its join, the last its leave."""

    def __init__(self, dialect: Dialect, mapping: RestMapping) -> None:
        super().__init__(dialect, mapping)
        self.joins, self.leaves, self.pings = True, True, False
        self.join = self.leave = _nothing


def _nothing(message: Message) -> bytes:
    """No body: the room is in the target."""
    return b""


def _is_past(last: str, after: str) -> bool:
    """Whether an empty page names numbers that it did not show, because its list and its `last` were read apart."""
    if not (last.isdecimal() and after.isdecimal()) or max(len(last), len(after)) > DIGITS:
        return False
    return int(last) >= int(after)


# -- parts of an answer ---------------------------------------------------------------------------------------------


def _frames(data: bytes | None) -> list[bytes] | None:
    try:
        return [bytes(frame) for frame in msgspec.json.decode(data or b"", type=list[msgspec.Raw])]
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _code(data: bytes | None) -> int:
    """The number of a code; NO_CODE where there is none."""
    try:
        return code_number(msgspec.json.decode(data)) if data is not None else NO_CODE
    except (msgspec.DecodeError, ValueError, RecursionError):
        return NO_CODE


def _text(data: bytes | None) -> str | None:
    """A name or number as text; None for anything else."""
    if data is None:
        return None
    try:
        found: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if type(found) is int or type(found) is str:
        return str(found)
    return None
