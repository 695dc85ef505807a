"""A JSON protocol described entirely in the plan: templates for what we send, patterns for what arrives.

Paths are dotted, with numbers for list indexes (`data.0.id`). A null counts as absent, so that `{"error": null}` does
not match `error = "*"`.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from ...errors import PlanError
from ...paths import split, walk
from ...placeholders import names
from ...plan.endpoint import Endpoint, ErrorMatch, JsonDialect, Match
from ...record.codes import NO_CODE, code_number, code_text_of
from ...record.row import SignalKind
from ..dialect import REASON_CHARS, garbled
from ..placeholders import compile_intent
from ..registry import dialect
from ..signal import Signal
from ..taken import Miss, Near, Taken, as_json
from ..texts import ABSENT

ANY = "*"
ANSWERS = {SignalKind.ACK, SignalKind.PONG}
"""What answers a request by its id alone."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class TemplateDialect:
    """The `json` dialect.

    Raises:
        PlanError: an unknown placeholder, an empty match, or a missing id without which nothing can be matched.
    """

    def __init__(self, described: JsonDialect, *, answers_in_order: bool = False) -> None:
        self.acks: Literal["frame", "delivery", "none"] = described.acks
        self.joins = described.join is not None
        self.leaves = described.leave is not None
        self.pings = described.ping is not None
        sent = (described.publish, described.join, described.leave, described.ping)
        self.plain_ids = any("{seq}" in str(template) for template in sent)
        self.join = compile_intent("join", described.join)
        self.leave = compile_intent("leave", described.leave)
        self.publish = compile_intent("publish", described.publish)
        self.ping = compile_intent("ping", described.ping)
        _check_ids(described, answers_in_order)
        several = isinstance(described.error, tuple)
        in_order: list[tuple[str, SignalKind, Match | None]] = [
            *(
                (f"error[{number}]" if several else "error", SignalKind.ERROR, match)
                for number, match in enumerate(described.errors)
            ),
            ("ack", SignalKind.ACK, described.ack),
            ("pong", SignalKind.PONG, described.pong),
            ("delivery", SignalKind.DELIVERY, described.delivery),
        ]
        self._rules = [_Rule(name, kind, match) for name, kind, match in in_order if match is not None]
        _check_hidden(self._rules)

        self._rules[-1].texts = _text_paths(described)

    def decode(self, data: bytes) -> tuple[Signal, ...]:
        """One signal, of the first rule that matches: the errors, then ack, pong and delivery.

        Errors come first because an endpoint may send a refusal as an ack with one more key; the delivery comes last
        because it may be described by little more than its room. JSON that matches nothing is OTHER; what is not JSON
        is GARBLED.
        """
        try:
            frame = _decode(data)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return garbled(f"not JSON: {error}")
        for rule in self._rules:
            if not rule.marks or rule.holds(frame):
                return (rule.signal(frame),)
        return (Signal(SignalKind.OTHER),)

    def explain(self, data: bytes) -> tuple[Taken, ...]:
        """The same rule as `decode`, with the paths of it that found nothing and the conditions that others missed."""
        try:
            frame = _decode(data)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return (Taken(kind=SignalKind.GARBLED, why=f"not JSON: {error}"),)
        for rule in self._rules:
            if rule.holds(frame):
                return (rule.taken(frame),)
        near = [Near(rule.name, rule.misses(frame)) for rule in reversed(self._rules)]
        met = {rule.name: len(rule.marks) - len(rule.misses(frame)) for rule in self._rules}
        return (Taken(kind=SignalKind.OTHER, near=tuple(sorted(near, key=lambda each: -met[each.rule]))),)


class _Rule:
    """One compiled match."""

    def __init__(self, name: str, kind: SignalKind, match: Match) -> None:
        if not match.match and kind is not SignalKind.DELIVERY:
            raise PlanError(
                f"endpoint.json.{name}.match: it is empty and would take every frame; "
                f'say what marks one, for example match = {{ type = "{name}" }}'
            )
        self.name = name
        self.kind = kind
        self.marks = [(split(path), _wanted(name, path, value)) for path, value in match.match.items()]
        self.paths = {field: getattr(match, field) for field in ("id", "room", "sender", "code", "reason")}
        self.id = split(match.id)
        self.room = split(match.room)
        self.sender = split(match.sender)
        self.code = split(match.code)
        self.fixed_code = code_number(match.fixed_code) if isinstance(match, ErrorMatch) else NO_CODE
        self.reason = split(match.reason)
        shallow = all(len(path) < 2 for path in (self.id, self.room, self.sender)) and kind is not SignalKind.ERROR
        self.texts: tuple[tuple[str, ...], ...] = ()
        """Where a delivery's text may be; the first path that leads to a text counts."""
        self.keys = tuple(path[0] if path else None for path in (self.id, self.room, self.sender)) if shallow else None
        """The keys of fields at the top level, as in most frames: this saves three calls."""

    def holds(self, frame: Any) -> bool:
        for path, wanted in self.marks:
            found = walk(frame, path)
            if found is None or (wanted != ANY and not _equal(found, wanted)):
                return False
        return True

    def covers(self, other: "_Rule") -> bool:
        """Whether each frame that the other rule takes, and that has its id, matches this one, too."""
        wanted = ({other.id: ANY} if other.id else {}) | dict(other.marks)
        return all(path in wanted and _implies(wanted[path], mine) for path, mine in self.marks)

    def misses(self, frame: Any) -> tuple[Miss, ...]:
        """The conditions that a frame does not meet."""
        key, found = (
            f"endpoint.json.{self.name}.match",
            [(path, wanted, walk(frame, path)) for path, wanted in self.marks],
        )
        return tuple(
            Miss(key, ".".join(path), "any value" if wanted == ANY else as_json(wanted), _quoted(value))
            for path, wanted, value in found
            if value is None or (wanted != ANY and not _equal(value, wanted))
        )

    def taken(self, frame: Any) -> Taken:
        """What this rule reads in a frame that it matches."""
        fields, missing = {}, []
        for field, path in self.paths.items():
            if not path:
                continue
            value = walk(frame, split(path))
            text = _reason(value) if field in ("code", "reason") else _text(value)
            if text is None or value is None:
                missing.append(Miss(f"endpoint.json.{self.name}.{field}", path, found=_quoted(value)))
            else:
                fields[field] = text
        if self.code or self.fixed_code:
            code = self.code_of(frame)
            if code != NO_CODE:
                fields["code"] = code_text_of(code)
            missing = [miss for miss in missing if code == NO_CODE or not miss.key.endswith(".code")]
        return Taken(kind=self.kind, rule=self.name, fields=fields, missing=tuple(missing))

    def signal(self, frame: Any) -> Signal:
        if self.keys is not None and type(frame) is dict:
            get = frame.get
            at_id, at_room, at_sender = self.keys
            named, room, sender = get(at_id), get(at_room), get(at_sender)
            text = None
            if self.texts:
                text = get(self.texts[0][0]) if len(self.texts[0]) == 1 else None
                if type(text) is not str:
                    text = self.text(frame)
            return Signal(
                self.kind,
                named if named is None or type(named) is str else _text(named),
                room if room is None or type(room) is str else _text(room),
                sender if sender is None or type(sender) is str else _text(sender),
                0,
                "",
                text,
            )
        return Signal(
            self.kind,
            (_text(walk(frame, self.id)) or None) if self.id else "",
            _text(walk(frame, self.room)) if self.room else None,
            _text(walk(frame, self.sender)) if self.sender else None,
            self.code_of(frame) if self.code or self.fixed_code else NO_CODE,
            _reason(walk(frame, self.reason)) if self.reason else "",
            self.text(frame) if self.texts else None,
        )

    def code_of(self, frame: Any) -> int:
        """The code that stands at the path, or else the fixed one."""
        found = walk(frame, self.code) if self.code else None
        return code_number(found) if found is not None else self.fixed_code

    def text(self, frame: Any) -> str:
        """The text of a delivery; ABSENT where there is none."""
        for path in self.texts:
            found = walk(frame, path)
            if type(found) is str:
                return found
        return ABSENT


def _text_paths(described: JsonDialect) -> tuple[tuple[str, ...], ...]:
    """Where a delivery's text stands: as the plan says, or else where publish has it, or beside the delivery's id."""
    if described.delivery.text:
        return (split(described.delivery.text),)
    sent = _path_of("{text}", described.publish)
    if not sent:  # it has no place of its own
        return ()
    beside = (*split(described.delivery.id)[:-1], sent[-1])
    return (sent,) if beside == sent else (sent, beside)


def _path_of(wanted: str, template: Any) -> tuple[str, ...] | None:
    """The path of a value in a template; None where it does not stand alone anywhere."""
    if isinstance(template, Mapping):
        inside = [(str(key), value) for key, value in template.items()]
    elif isinstance(template, list | tuple):
        inside = [(str(number), value) for number, value in enumerate(template)]
    else:
        return () if template == wanted else None
    for key, value in inside:
        path = _path_of(wanted, value)
        if path is not None:
            return (key, *path)
    return None


def _check_hidden(rules: list[_Rule]) -> None:
    """Refuse a rule that takes every frame of a later one; ack and pong may share one, as their ids tell them apart.

    Raises:
        PlanError: names both rules.
    """
    for number, later in enumerate(rules):
        for earlier in rules[:number]:
            if not (earlier.kind is later.kind or {earlier.kind, later.kind} == ANSWERS) and earlier.covers(later):
                raise PlanError(
                    f"endpoint.json.{earlier.name}.match: every {later.name} matches it, too, and would be taken for "
                    f"{earlier.name}; add what only {earlier.name} has, or correct endpoint.json.{later.name}.match"
                )


def _check_ids(described: JsonDialect, answers_in_order: bool) -> None:
    """Check that whatever confirms a publish names it, and that a pong names its ping.

    Where answers come in the order of the requests, an ack need not.
    """
    if described.ping is not None and not (described.pong is not None and described.pong.id):
        raise PlanError(
            "endpoint.json.pong: a ping is answered by a frame that names it; give [endpoint.json.pong] with match "
            'and the path of the id, for example id = "ref", or leave ping out'
        )
    asks = described.acks == "frame" or described.join is not None or described.leave is not None
    if asks and described.ack is not None and not described.ack.id and not answers_in_order:
        raise PlanError(
            "endpoint.json.ack.id: an ack must name what it confirms; give the path of the id, "
            'for example id = "ref", set acks = "delivery" or "none" and leave join and leave out, '
            'or set endpoint.order = "fifo" if answers come in the order of the requests'
        )
    if not described.delivery.id:
        raise PlanError(
            "endpoint.json.delivery.id: a delivery must name the message; give the path of the id, "
            'for example id = "ref"'
        )


def _wanted(name: str, path: str, value: Any) -> Any:
    """What may stand at a path of `match`: a list is one of several values.

    Raises:
        PlanError: the list is empty.
    """
    if value == []:
        raise PlanError(f"endpoint.json.{name}.match.{path}: the list of alternatives is empty and would match nothing")
    return value


def _implies(narrow: Any, wide: Any) -> bool:
    """Whether a value that meets the condition `narrow` meets `wide`, too."""
    if wide == ANY:
        return True
    alternatives = narrow if type(narrow) is list else [narrow]
    return narrow != ANY and all(_equal(each, wide) for each in alternatives)


def _equal(found: Any, wanted: Any) -> bool:
    """Whether what was found is the value, or one of the alternatives, that a match wants."""
    if type(wanted) is list:
        return any(_same(found, each) for each in wanted)
    return _same(found, wanted)


def _same(found: Any, wanted: Any) -> bool:
    """Equal as JSON: true is not 1, but 1.0 is."""
    return isinstance(found, bool) is isinstance(wanted, bool) and bool(found == wanted)


def _text(found: Any) -> str | None:
    """A name or id as text; None for anything else."""
    if type(found) is str:
        return found
    if type(found) is int:
        return str(found)
    if type(found) is float:
        return str(int(found)) if found.is_integer() else repr(found)
    return None


def _quoted(found: Any) -> str | None:
    return as_json(found) if found is not None else None


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
    return endpoint.json is None or "room" in names(endpoint.json.publish)


@dialect("json", needs_room=_names_rooms, why_not=_lacking)
def make_template(endpoint: Endpoint) -> TemplateDialect:
    """Make the dialect that `[endpoint.json]` describes.

    Raises:
        PlanError: a template or match is wrong; names the key and what is expected.
    """
    if endpoint.json is None:
        raise PlanError(f'endpoint.dialect: "json" {_lacking(endpoint)}')
    return TemplateDialect(endpoint.json, answers_in_order=endpoint.order == "fifo")
