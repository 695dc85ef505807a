"""Placeholders in the texts of a plan: what counts as one, how it is filled in, and the refusal of unknown ones.

`{name}` is replaced by a value. `{{name}}` means `{name}` itself. Every other brace means nothing and stays, so
that JSON inside a text needs no escapes. `${NAME}` is a variable of the environment where a text may hold one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .errors import PlanError, did_you_mean

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}|\{(\w+)\}")
_VARIABLE = re.compile(r"\$\{\w+\}")
_BRACED = re.compile(r"\{(\w+)\}")

HINTS = {
    "token": "[endpoint.auth] says where a token comes from and where it goes",
    "nonce": 'the names of a run\'s sessions begin with it: "{key}"',
}
"""What to write instead of names that are often tried and exist nowhere."""


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """The text as (literal text, name of the placeholder behind it); the last name is "".

    >>> list(pieces('a {id} {{id}} {"b": {}}'))
    [('a ', 'id'), (' {id} {"b": {}}', '')]
    """
    literal, at = "", 0
    for found in _PLACEHOLDER.finditer(text):
        literal += text[at : found.start()]
        at = found.end()
        if found[1] is not None:
            literal += f"{{{found[1]}}}"
        else:
            yield literal, found[2]
            literal = ""
    yield literal + text[at:], ""


def fill(text: str, values: Mapping[str, str]) -> str:
    """Fill in the placeholders that have a value; others stay.

    >>> fill("/{room}/{x}?{{room}}", {"room": "blue"})
    '/blue/{x}?{room}'
    """
    if "{" not in text:
        return text
    return "".join(literal + (values.get(name, f"{{{name}}}") if name else "") for literal, name in pieces(text))


def escape(text: str) -> str:
    """The text so written that `fill` gives it back.

    >>> escape("{room} {} {{a}}"), fill(escape("{room} {} {{a}}"), {"room": "x", "a": "y"})
    ('{{room}} {} {{{a}}}', '{room} {} {{a}}')
    """
    return _BRACED.sub(r"{{\1}}", text)


def names(value: Any, *, environment: bool = False) -> Iterator[str]:
    """The name of each placeholder in plain data, keys included.

    Args:
        value: a text, or tables and lists of texts.
        environment: `${NAME}` is not a placeholder here.
    """
    for text in _texts(value):
        for _, name in pieces(_VARIABLE.sub("", text) if environment else text):
            if name:
                yield name


def check(value: Any, known: Sequence[str], where: str, *, environment: bool = False) -> None:
    """Refuse what looks like a placeholder and is not known at this place.

    Args:
        value: a text, or tables and lists of texts.
        known: the names that are allowed in braces there.
        where: its key in the plan.
        environment: `${NAME}` is not a placeholder here.

    Raises:
        PlanError: names the key, the placeholder and the nearest known one.
    """
    if isinstance(value, Mapping):
        for key, inside in value.items():
            check(str(key), known, f"{where}.{key}", environment=environment)
            check(inside, known, f"{where}.{key}", environment=environment)
        return
    if isinstance(value, list | tuple):
        for number, inside in enumerate(value):
            check(inside, known, f"{where}.{number}", environment=environment)
        return
    for name in names(value, environment=environment):
        if name not in known:
            raise unknown(name, known, where)


def unknown(name: str, known: Sequence[str], where: str) -> PlanError:
    """The refusal of a placeholder that there is not."""
    listed = ", ".join(f"{{{each}}}" for each in known)
    nearest = did_you_mean(name, known, HINTS.get(name, ""), like="{{{}}}")
    hint = " ".join(filter(None, (nearest, f"known ones: {listed}" if listed else "none is known there")))
    return PlanError(f'{where}: unknown placeholder "{{{name}}}"; {hint}; for the text itself write "{{{{{name}}}}}"')


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for key, inside in value.items():
            yield str(key)
            yield from _texts(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from _texts(inside)
    elif isinstance(value, str):
        yield value
