"""What a received frame was taken for, and what it lacked for anything else: for the dry run and for evidence.

`Dialect.explain` gives a `Taken` for what `Dialect.decode` gives a signal for; `describe` puts it into words.
"""

from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from ..paths import Path
from ..record.row import SignalKind
from .ids import find_ids
from .signal import Signal

SHOWN_CHARS = 60
"""How much of a value is quoted."""
NEAREST = 2
"""How many of the rules that did not match are described by default."""

_encode = msgspec.json.Encoder().encode


class Miss(NamedTuple):
    """A path that did not find what a rule needs.

    Args:
        key: the plan's key that gives the path, for example `endpoint.json.ack.id`; "" where no plan does.
        path: the dotted path.
        wanted: the expected value, as JSON; "" for any.
        found: the actual value, as JSON; None if there is none.
    """

    key: str
    path: str
    wanted: str = ""
    found: str | None = None


class Near(NamedTuple):
    """A rule that did not match, and which of its conditions were not met."""

    rule: str
    misses: tuple[Miss, ...]


class Taken(Struct, frozen=True, kw_only=True):
    """What one frame, or one part of it, was taken for.

    Args:
        kind: as the signal's; OTHER when no rule matched, GARBLED when it is not of the protocol.
        rule: the rule that matched, for example `delivery`; "" when none did.
        fields: what was found at the rule's paths, by `id`, `room`, `sender`, `code` and `reason`.
        missing: the rule's paths that found nothing usable.
        near: the rules that did not match, nearest first.
        why: why it is not of the protocol.
    """

    kind: SignalKind
    rule: str = ""
    fields: dict[str, str] = {}
    missing: tuple[Miss, ...] = ()
    near: tuple[Near, ...] = ()
    why: str = ""


def taken_as_read(signals: tuple[Signal, ...]) -> tuple[Taken, ...]:
    """What signals were taken for, for a dialect that has no paths to find anything at."""
    return tuple(
        Taken(kind=signal.kind, why=signal.reason)
        if signal.kind in (SignalKind.GARBLED, SignalKind.OTHER)
        else Taken(kind=signal.kind, rule=signal.kind.name.lower(), fields=_fields(signal))
        for signal in signals
    )


def _fields(signal: Signal) -> dict[str, str]:
    read = {"id": signal.id, "room": signal.room, "sender": signal.sender, "reason": signal.reason or None}
    return {name: text for name, text in read.items() if text is not None}


def describe(taken: Taken, data: bytes = b"", nonce: str = "", nearest: int = NEAREST) -> str:
    """What a frame was taken for, in one line: the rule, its fields, and each path that found nothing.

    Args:
        taken: as the dialect explains the frame.
        data: the frame.
        nonce: the run's; with it the line says whether the id is the run's, and where one of its ids stands.
        nearest: how many of the rules that did not match are described.

    >>> describe(Taken(kind=SignalKind.DELIVERY, rule="delivery", missing=(Miss("endpoint.json.delivery.id", "ref"),)))
    'delivery; endpoint.json.delivery.id = "ref" found nothing'
    """
    if taken.kind is SignalKind.GARBLED:
        return f"not of the protocol: {taken.why}"
    parts = [_taken_for(taken, nearest), *(_missed(miss) for miss in taken.missing)]
    if nonce and not (is_ours := nonce in taken.fields.get("id", "")):
        if "id" in taken.fields:
            parts.append(f"the id {_quoted(taken.fields['id'])} is none of this run's")
        if not is_ours and (at := where_ids_are(data, nonce)):
            parts.append(f'an id of this run is at "{next(iter(at))}"')
    return "; ".join(parts)


def where_ids_are(data: bytes, nonce: str) -> dict[str, str]:
    """The dotted paths of a JSON frame at which an id of this run stands, with the text there; none in other frames."""
    try:
        frame = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}
    found: dict[str, str] = {}
    waiting: list[tuple[Path, Any]] = [((), frame)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, str):
            if find_ids(node.encode("utf-8", "replace"), nonce):
                found[".".join(path)] = node
        elif isinstance(node, dict):
            waiting += [((*path, str(name)), value) for name, value in reversed(node.items())]
        elif isinstance(node, list):
            waiting += [((*path, str(number)), value) for number, value in reversed([*enumerate(node)])]
    return found


def as_json(value: Any) -> str:
    """A value as JSON, shortened for quoting."""
    try:
        text = _encode(value).decode("utf-8", "replace")
    except (RecursionError, ValueError, TypeError):
        return "a value that is nested too deep to quote"
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."


def _taken_for(taken: Taken, nearest: int) -> str:
    if taken.rule:
        fields = ", ".join(f"{name} {_quoted(text)}" for name, text in taken.fields.items())
        return f"{taken.rule}: {fields}" if fields else taken.rule
    near = [
        f"not {each.rule}, because {' and '.join(_missed(miss) for miss in each.misses)}"
        for each in taken.near[:nearest]
    ]
    return ", ".join(["matches no rule", *near])


def _missed(miss: Miss) -> str:
    name = f'{miss.key} = "{miss.path}"' if miss.key else f'"{miss.path}"'
    found = f"found {miss.found}" if miss.found is not None else "found nothing"
    return f"{name} {found}, not {miss.wanted}" if miss.wanted else f"{name} {found}"


def _quoted(text: str) -> str:
    return as_json(text)
