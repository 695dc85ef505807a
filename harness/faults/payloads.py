"""Malformed payloads: valid frames damaged on purpose, against the action's schema or as JSON itself.

Pure and seeded. A payload counts as malformed only when that is proven: a frame that should break the schema is checked
against the schema, one that should not be JSON against a strict parser; a kind of damage that is impossible for a frame
is skipped. The message's id stays readable wherever the damage allows it, so that the error can be matched.
"""

import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs

from ..record.row import Damage

Path = tuple[str, ...]
Frame = dict[str, Any]

ID_KEYS = ("requestId", "id", "ref", "mid", "messageId")
OUR_ID = re.compile(r"[^-]+-\d+-\d+")
DEPTH = 40
OVER = 16
LARGEST_FRAME_BYTES = 120_000
"""A longer frame would be refused for its size (API Gateway: 128 KiB), not for what is in it."""


class Malformer:
    """Damages valid frames, each kind in turn; without a schema only as raw JSON.

    Raises:
        ValueError: the schema is not a JSON Schema.
    """

    def __init__(self, schema: dict[str, object] | None, seed: int) -> None:
        self._schema: dict[str, Any] | None = schema
        self._validator = jsonschema_rs.validator_for(schema) if schema is not None else None
        self._chance = random.Random(f"{seed}-damage")
        kinds = list(_RAW) + (list(_BREAKS) if schema is not None else [])
        self._chance.shuffle(kinds)
        self._kinds = kinds
        self._turn = 0

    def damage(self, valid: bytes) -> tuple[Damage, bytes]:
        """A malformed variant of a valid JSON object, as UTF-8 text, and what is wrong with it.

        Raises:
            ValueError: no kind of damage applies to it.
        """
        for _ in self._kinds:
            kind = self._kinds[self._turn % len(self._kinds)]
            self._turn += 1
            data = self._raw(kind, valid) if kind in _RAW else self._broken(kind, valid)
            if data is not None:
                return kind, data
        raise ValueError("this frame cannot be damaged in any known way")

    def _raw(self, kind: Damage, valid: bytes) -> bytes | None:
        data = _RAW[kind](valid, self._chance)
        return data if data is not None and not _is_json(data) else None

    def _broken(self, kind: Damage, valid: bytes) -> bytes | None:
        if self._schema is None or self._validator is None:
            return None
        frame = json.loads(valid)
        if not isinstance(frame, dict):
            return None
        for candidate in _BREAKS[kind](frame, self._schema, self._chance):
            if self._validator.is_valid(candidate):
                continue
            data = json.dumps(candidate, ensure_ascii=False, separators=(",", ":")).encode()
            if len(data) <= max(LARGEST_FRAME_BYTES, len(valid)):
                return data
        return None


def _is_json(data: bytes) -> bool:
    """Whether a strict parser takes it (RFC 8259: no NaN, nothing after the value)."""

    def refuse(text: str) -> None:
        raise ValueError(text)

    try:
        json.loads(data, parse_constant=refuse)
    except ValueError:
        return False
    return True


# -- damage to JSON itself ------------------------------------------------------------------------------------------


def _truncated(valid: bytes, chance: random.Random) -> bytes:
    cut = chance.randrange(max(1, len(valid) // 2), len(valid))
    return valid[:cut].decode("utf-8", "ignore").encode()


def _trailing(valid: bytes, chance: random.Random) -> bytes:
    return valid + chance.choice((b"}", b"]", b" x", b",", b'{"a":1}'))


def _bare_nan(valid: bytes, chance: random.Random) -> bytes | None:
    return _with_extra(valid, b'"x":' + chance.choice((b"NaN", b"Infinity", b"-Infinity")))


def _bad_escape(valid: bytes, chance: random.Random) -> bytes | None:
    return _with_extra(valid, b'"x":"' + chance.choice((b"\\q", b"\\u12", b"\\x41")) + b'"')


def _unquoted(valid: bytes, _chance: random.Random) -> bytes | None:
    return _with_extra(valid, b"x:1")


def _with_extra(valid: bytes, member: bytes) -> bytes | None:
    """The object with one more member at its end, so that all before it stays readable."""
    end = valid.rfind(b"}")
    return valid[:end] + b"," + member + valid[end:] if end > 1 else None


_RAW: dict[Damage, Callable[[bytes, random.Random], bytes | None]] = {
    Damage.TRUNCATED: _truncated,
    Damage.NOT_JSON: lambda _valid, chance: chance.choice((b"hello", b"<xml/>", b"{{}}", b"[1,", b"'a'")),
    Damage.TRAILING_BYTES: _trailing,
    Damage.BARE_NAN: _bare_nan,
    Damage.BAD_ESCAPE: _bad_escape,
    Damage.UNQUOTED_KEY: _unquoted,
    Damage.EMPTY_FRAME: lambda _valid, _chance: b"",
}


# -- damage against the schema --------------------------------------------------------------------------------------


def _leaves(frame: Frame, chance: random.Random) -> list[Path]:
    """Every key of the frame but its id and what holds it, in random order, nested ones first."""
    found: list[Path] = []

    def walk(node: Frame, path: Path) -> None:
        for key, value in node.items():
            if not _holds_id(key, value):
                found.append((*path, key))
            if isinstance(value, dict):
                walk(value, (*path, key))

    walk(frame, ())
    chance.shuffle(found)
    return sorted(found, key=len, reverse=True)


def _holds_id(key: str, value: Any) -> bool:
    """Whether the value is, or has in it, what an answer is matched by: by a usual name, or written as our ids are."""
    if isinstance(value, dict):
        return any(_holds_id(inner, each) for inner, each in value.items())
    if isinstance(value, list):
        return any(_holds_id("", each) for each in value)
    return key in ID_KEYS or (isinstance(value, str) and OUR_ID.fullmatch(value) is not None)


def _put(frame: Frame, path: Path, value: Any) -> Frame:
    changed = copy.deepcopy(frame)
    node = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return changed


def _get(frame: Frame, path: Path) -> Any:
    node: Any = frame
    for key in path:
        node = node[key]
    return node


def _missing(frame: Frame, _schema: Any, chance: random.Random) -> Iterator[Any]:
    for path in _leaves(frame, chance):
        changed = copy.deepcopy(frame)
        node = changed
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]
        yield changed


def _wrong_type(frame: Frame, _schema: Any, chance: random.Random) -> Iterator[Any]:
    for path in _leaves(frame, chance):
        value = _get(frame, path)
        yield _put(frame, path, chance.choice((7, True, ["x"])) if isinstance(value, str | dict) else "seven")


def _extra(frame: Frame, _schema: Any, chance: random.Random) -> Iterator[Any]:
    for path in [(), *(path for path in _leaves(frame, chance) if isinstance(_get(frame, path), dict))]:
        yield _put(frame, (*path, "unexpected"), 1)


def _empty(frame: Frame, _schema: Any, chance: random.Random) -> Iterator[Any]:
    for path in _leaves(frame, chance):
        if isinstance(_get(frame, path), str):
            yield _put(frame, path, "")


def _too_long(frame: Frame, schema: Any, chance: random.Random) -> Iterator[Any]:
    for path in _leaves(frame, chance):
        longest = _rule(schema, path).get("maxLength")
        if isinstance(_get(frame, path), str) and isinstance(longest, int):
            yield _put(frame, path, "x" * (longest + OVER))


def _bad_enum(frame: Frame, schema: Any, chance: random.Random) -> Iterator[Any]:
    for path in _leaves(frame, chance):
        rule = _rule(schema, path)
        if ("const" in rule or "enum" in rule) and isinstance(_get(frame, path), str):
            yield _put(frame, path, f"{_get(frame, path)}-x")


def _too_deep(frame: Frame, _schema: Any, chance: random.Random) -> Iterator[Any]:
    deep: Any = 1
    for _ in range(DEPTH):
        deep = {"d": deep}
    for path in _leaves(frame, chance):
        yield _put(frame, path, deep)


def _null(frame: Frame, _schema: Any, chance: random.Random) -> Iterator[Any]:
    for path in _leaves(frame, chance):
        yield _put(frame, path, None)


def _not_an_object(frame: Frame, _schema: Any, _chance: random.Random) -> Iterator[Any]:
    yield [frame]


def _rule(schema: Any, path: Path) -> dict[str, Any]:
    """What the schema says about the value at a path, where it says it plainly (`properties`)."""
    for key in path:
        schema = schema.get("properties", {}).get(key) if isinstance(schema, dict) else None
    return schema if isinstance(schema, dict) else {}


_BREAKS: dict[Damage, Callable[[Frame, Any, random.Random], Iterator[Any]]] = {
    Damage.MISSING_KEY: _missing,
    Damage.WRONG_TYPE: _wrong_type,
    Damage.EXTRA_KEY: _extra,
    Damage.EMPTY_TEXT: _empty,
    Damage.TOO_LONG: _too_long,
    Damage.BAD_ENUM: _bad_enum,
    Damage.TOO_DEEP: _too_deep,
    Damage.NULL_VALUE: _null,
    Damage.NOT_AN_OBJECT: _not_an_object,
}
