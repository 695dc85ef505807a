"""Templates of frames: compiled once into literal bytes and holes, so that encoding is filling the holes.

For the json dialect. Subtle: a value that is exactly `"{seq}"`, `"{session}"` or `"{timestamp}"` becomes a number;
every other placeholder becomes escaped text, and keys are always text.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import msgspec

from ..placeholders import names, pieces, unknown
from ..plan.section import Template
from .dialect import Message
from .texts import MOST

PLACEHOLDERS = {
    "id": "id",
    "room": "room",
    "text": "text",
    "seq": "seq",
    "sender": "sender",
    "session": "session",
    "key": "key",
    "timestamp": "timestamp_ms",
}
"""The names allowed in braces, and the field of a Message for each of them."""

NUMBERS = ("seq", "session", "timestamp")

REMEMBERED = {"room": 1 << 16, "text": MOST}
"""How many names of rooms and how many texts are kept at most."""

Render = Callable[[Message], bytes]

ALONE = {f"{{{name}}}": name for name in NUMBERS}
_encode = msgspec.json.Encoder().encode


def has_id(template: Template) -> bool:
    """Whether a frame of this template says which message it is."""
    return any(name in ("id", "seq") for name in names(template))


def compile_intent(name: str, template: Template | None, table: str = "endpoint.json") -> Render:
    """A function from a message to the frame of the intent `name`; one that raises ValueError if there is no template.

    `table` is the plan's table with the template.

    Raises:
        PlanError: an unknown placeholder; names the key and the nearest known one.
    """
    if template is None:
        return _absent(name)
    parts: list[bytes | Render] = []
    _compile(template, f"{table}.{name}", parts)
    literals, holes = _merge(parts)
    if not holes:
        return lambda message: literals[0]

    pieces = [piece for literal in literals for piece in (literal, b"")][:-1]
    places = tuple(zip(range(1, len(pieces), 2), holes, strict=True))

    def render(message: Message) -> bytes:
        filled = pieces.copy()
        for place, hole in places:
            filled[place] = hole(message)
        return b"".join(filled)

    return render


def _absent(name: str) -> Render:
    def render(message: Message) -> bytes:
        raise ValueError(f"the protocol has no {name}: the plan gives no endpoint.json.{name}")

    return render


def _merge(parts: list[bytes | Render]) -> tuple[list[bytes], list[Render]]:
    """Join adjacent literals: one more literal than there are holes."""
    literals, holes = [b""], list[Render]()
    for part in parts:
        if isinstance(part, bytes):
            literals[-1] += part
        else:
            holes.append(part)
            literals.append(b"")
    return literals, holes


def _compile(node: Any, key: str, out: list[bytes | Render]) -> None:
    """Append the JSON of `node` as literal bytes and holes; `key` is its key in the plan."""
    if isinstance(node, Mapping):
        out.append(b"{")
        for number, (name, value) in enumerate(node.items()):
            out.append(b"," if number else b"")
            _compile_text(str(name), f"{key}.{name}", out)
            out.append(b":")
            _compile(value, f"{key}.{name}", out)
        out.append(b"}")
    elif isinstance(node, list | tuple):
        out.append(b"[")
        for number, value in enumerate(node):
            out.append(b"," if number else b"")
            _compile(value, f"{key}.{number}", out)
        out.append(b"]")
    elif isinstance(node, str):
        if node in ALONE:
            out.append(_digits(PLACEHOLDERS[ALONE[node]]))
        else:
            _compile_text(node, key, out)
    else:
        out.append(_encode(node))


def _compile_text(text: str, key: str, out: list[bytes | Render]) -> None:
    """Append a JSON string in which known placeholders are holes and other braces stay as they are."""
    out.append(b'"')
    for literal, name in pieces(text):
        out.append(_escaped(literal))
        if name:
            if name not in PLACEHOLDERS:
                raise unknown(name, tuple(PLACEHOLDERS), key)
            field = PLACEHOLDERS[name]
            out.append(_digits(field) if name in NUMBERS else _characters(field))
    out.append(b'"')


def _escaped(text: str) -> bytes:
    return _encode(text)[1:-1]


def _characters(field: str) -> Render:
    if field in REMEMBERED:
        return _known(field, REMEMBERED[field])
    get = attrgetter(field)
    return lambda message: _encode(get(message))[1:-1]


def _known(field: str, most: int) -> Render:
    """What is one of few (a room, a generated text): each encoded once."""
    known: dict[str, bytes] = {}
    get = attrgetter(field)

    def hole(message: Message) -> bytes:
        text = get(message)
        encoded = known.get(text)
        if encoded is None:
            encoded = _encode(text)[1:-1]
            if len(known) < most:
                known[text] = encoded
        return encoded

    return hole


def _digits(field: str) -> Render:
    get = attrgetter(field)
    return lambda message: _encode(get(message))
