"""Codes of any JSON type, as the whole number that a row's `code` column holds.

An endpoint may refuse with 429, "RATE_LIMITED", true, 4.5 or an object. A whole number that fits is itself. Any other
code is a number below LEAST_PLAIN that follows from its canonical JSON alone, so that all processes of a run, and its
reports, agree on it without talking to each other. Its meaning is written beside the rows, as evidence.
"""

import hashlib
import json
import re
from collections.abc import Iterable

NO_CODE = 0
LEAST_PLAIN = -(1 << 30)
"""Whole numbers from here on are themselves; below are the other codes."""
LARGEST = (1 << 31) - 1
NAME_CHARS = 200
"""How much of a code is kept for people."""

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,10})")
_BARE = re.compile(r"[A-Za-z_][\w.:/ -]*")


class NamedCode(int):
    """The number of a code that is no plain number, with the code's canonical JSON as its `name`."""

    name: str

    def __new__(cls, name: str) -> "NamedCode":
        """Compute the number of the code with this canonical JSON."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        code = super().__new__(cls, (int.from_bytes(digest[:4], "big") & (1 << 30) - 1) - (1 << 31))
        code.name = name
        return code


def code_number(value: object) -> int:
    """The number of a code; NO_CODE for a null, and for what is nested too deep to be one.

    A text that is a whole number is that number, as for ids; 4.0 is 4, and true is not 1.

    >>> code_number(429), code_number("429"), code_number(-32600), code_number(4.0)
    (429, 429, -32600, 4)
    >>> code_number("RATE_LIMITED") == code_number("RATE_LIMITED") < LEAST_PLAIN
    True
    """
    if type(value) is int and LEAST_PLAIN <= value <= LARGEST:
        return value
    if value is None:
        return NO_CODE
    if type(value) is str and _WHOLE.fullmatch(value) and value != "-0" and LEAST_PLAIN <= int(value) <= LARGEST:
        return int(value)
    try:
        plain = _plain(value)
        if type(plain) is int and LEAST_PLAIN <= plain <= LARGEST:
            return plain
        return NamedCode(json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    except (RecursionError, TypeError, ValueError):
        return NO_CODE


def code_numbers(values: Iterable[object]) -> tuple[int, ...]:
    """The number of each code."""
    return tuple(map(code_number, values))


def code_text(name: str) -> str:
    """A code's canonical JSON as people read it: without quotes where they say nothing, and not too long.

    >>> code_text('"RATE_LIMITED"'), code_text('"true"'), code_text("true")
    ('RATE_LIMITED', '"true"', 'true')
    """
    bare = name[1:-1]
    if name.startswith('"') and _BARE.fullmatch(bare) and bare not in ("true", "false", "null"):
        name = bare
    return name if len(name) <= NAME_CHARS else f"{name[:NAME_CHARS]}..."


def code_text_of(code: int) -> str:
    """A code that was just read off the wire as people read it."""
    return code_text(code.name) if isinstance(code, NamedCode) else str(int(code))


def _plain(value: object) -> object:
    """The same JSON with each float that is a whole number as that number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
