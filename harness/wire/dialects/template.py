"""A JSON protocol described entirely in the plan: templates for what we send, patterns for what arrives.

Paths are dotted, with numbers for list indexes (`data.0.id`). A null counts as absent, so that `{"error": null}` does
not match `error = "*"`.
"""

from typing import Any, Literal

import msgspec

from ...errors import PlanError
from ...paths import split, walk
from ...plan.endpoint import Endpoint, JsonDialect, Match
from ...record.row import SignalKind
from ..dialect import REASON_CHARS, fitting_code, garbled
from ..placeholders import compile_intent
from ..registry import dialect
from ..signal import Signal

ANY = "*"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class TemplateDialect:
    """The `json` dialect.

    Raises:
        PlanError: an unknown placeholder, an empty match, or an id without which nothing could be correlated.
    """

    def __init__(self, described: JsonDialect) -> None:
        self.acks: Literal["frame", "delivery", "none"] = described.acks
        self.joins = described.join is not None
        self.leaves = described.leave is not None
        self.pings = described.ping is not None
        self.join = compile_intent("join", described.join)
        self.leave = compile_intent("leave", described.leave)
        self.publish = compile_intent("publish", described.publish)
        self.ping = compile_intent("ping", described.ping)
        _check_ids(described)
        in_order = (
            ("error", SignalKind.ERROR, described.error),
            ("ack", SignalKind.ACK, described.ack),
            ("pong", SignalKind.PONG, described.pong),
            ("delivery", SignalKind.DELIVERY, described.delivery),
        )
        self._rules = [_Rule(name, kind, match) for name, kind, match in in_order if match is not None]

    def decode(self, data: bytes) -> tuple[Signal, ...]:
        """One signal, of the first of error, ack, pong, delivery that matches.

        Errors come first because an endpoint may answer a refusal in the shape of an ack with one key more; the
        delivery comes last because it may be described by little more than its room. JSON that matches nothing is
        OTHER, what is not JSON is GARBLED.
        """
        try:
            frame = _decode(data)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return garbled(f"not JSON: {error}")
        for rule in self._rules:
            if not rule.marks or rule.holds(frame):
                return (rule.signal(frame),)
        return (Signal(SignalKind.OTHER),)


class _Rule:
    """One compiled match."""

    def __init__(self, name: str, kind: SignalKind, match: Match) -> None:
        if not match.match and kind is not SignalKind.DELIVERY:
            raise PlanError(
                f"endpoint.json.{name}.match: it is empty and would take every frame; "
                f'say what marks one, for example match = {{ type = "{name}" }}'
            )
        self.kind = kind
        self.marks = [(split(path), wanted) for path, wanted in match.match.items()]
        self.id = split(match.id)
        self.room = split(match.room)
        self.sender = split(match.sender)
        self.code = split(match.code)
        self.reason = split(match.reason)
        shallow = all(len(path) < 2 for path in (self.id, self.room, self.sender)) and not self.code and not self.reason
        self.keys = tuple(path[0] if path else None for path in (self.id, self.room, self.sender)) if shallow else None
        """Of what is read by its key alone, which is the usual frame: three calls less."""

    def holds(self, frame: Any) -> bool:
        for path, wanted in self.marks:
            found = walk(frame, path)
            if found is None or (wanted != ANY and not _equal(found, wanted)):
                return False
        return True

    def signal(self, frame: Any) -> Signal:
        if self.keys is not None and type(frame) is dict:
            get = frame.get
            at_id, at_room, at_sender = self.keys
            named, room, sender = get(at_id), get(at_room), get(at_sender)
            return Signal(
                self.kind,
                named if named is None or type(named) is str else _text(named),
                room if room is None or type(room) is str else _text(room),
                sender if sender is None or type(sender) is str else _text(sender),
            )
        return Signal(
            self.kind,
            _text(walk(frame, self.id)) if self.id else None,
            _text(walk(frame, self.room)) if self.room else None,
            _text(walk(frame, self.sender)) if self.sender else None,
            _number(walk(frame, self.code)) if self.code else 0,
            _reason(walk(frame, self.reason)) if self.reason else "",
        )


def _check_ids(described: JsonDialect) -> None:
    """An ack or own delivery that confirms a publish must name it, and what answers a ping the ping."""
    if described.ping is not None and not (described.pong is not None and described.pong.id):
        raise PlanError(
            "endpoint.json.pong: a ping is answered by a frame that names it; give [endpoint.json.pong] with match "
            'and the path of the id, for example id = "ref", or leave ping out'
        )
    if described.acks == "frame" and described.ack is not None and not described.ack.id:
        raise PlanError(
            "endpoint.json.ack.id: an ack must name what it confirms; give the path of the id, "
            'for example id = "ref", or set acks = "delivery" or "none"'
        )
    if not described.delivery.id:
        raise PlanError(
            "endpoint.json.delivery.id: a delivery must name the message; give the path of the id, "
            'for example id = "ref"'
        )


def _equal(found: Any, wanted: Any) -> bool:
    """Equal as JSON: true is not 1, but 1.0 is."""
    return isinstance(found, bool) is isinstance(wanted, bool) and bool(found == wanted)


def _text(found: Any) -> str | None:
    """A name or id as text; None for what cannot be one."""
    if type(found) is str:
        return found
    if type(found) is int:
        return str(found)
    if type(found) is float:
        return str(int(found)) if found.is_integer() else repr(found)
    return None


def _number(found: Any) -> int:
    if type(found) is int:
        return fitting_code(found)
    if type(found) is float and found.is_integer():
        return fitting_code(int(found))
    if type(found) is str and found.isascii() and found.isdecimal() and len(found) <= 10:
        return fitting_code(int(found))
    return 0


def _reason(found: Any) -> str:
    if found is None:
        return ""
    if isinstance(found, str):
        return found[:REASON_CHARS]
    try:
        return _encode(found)[:REASON_CHARS].decode(errors="replace")
    except RecursionError:
        return "nested too deep to quote"


def _lacking(endpoint: Endpoint) -> str:
    return "" if endpoint.json is not None else "needs a table [endpoint.json] that describes the protocol"


def _names_rooms(endpoint: Endpoint) -> bool:
    return endpoint.json is None or "{room}" in str(msgspec.to_builtins(endpoint.json.publish))


@dialect("json", needs_room=_names_rooms, why_not=_lacking)
def make_template(endpoint: Endpoint) -> TemplateDialect:
    """As `[endpoint.json]` describes it.

    Raises:
        PlanError: a template or match is wrong; names the key and what would be right.
    """
    if endpoint.json is None:
        raise PlanError(f'endpoint.dialect: "json" {_lacking(endpoint)}')
    return TemplateDialect(endpoint.json)
