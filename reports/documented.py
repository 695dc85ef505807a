"""The tables of `docs/report.md`, made from the registries and the comments of the report's structs.

`python -m squall.docs` writes them into the page.
"""

import ast
import inspect
import textwrap
import typing
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import msgspec

from .build import ORDER, rules
from .figures import FIGURES
from .percentile import Groups, Percentiles
from .registry import types_of
from .report import Report

SHARED = (Groups, Percentiles)
"""Structs that many sections have; they have a table of their own."""


@cache
def comments(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The comment under each field of a struct, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        if base is msgspec.Struct or not issubclass(base, msgspec.Struct) or base.__module__.startswith("msgspec"):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        body = definition.body if isinstance(definition, ast.ClassDef) else []
        for field, comment in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                text = comment.value if isinstance(comment, ast.Expr) else None
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    found[field.target.id] = text.value
    return found


def structs_in(kind: object) -> Iterator[type[msgspec.Struct]]:
    """The structs that a type is made of, without those inside them."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for inner in typing.get_args(kind):
        yield from structs_in(inner)


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def fields(struct: type[msgspec.Struct]) -> str:
    """A table of a struct's fields, and one of each struct inside."""
    told = comments(struct)
    text = table(("field", "is"), ((f"`{name}`", told[name]) for name in struct.__struct_fields__))
    inside: dict[type[msgspec.Struct], list[str]] = {}
    for name, kind in types_of(struct).items():
        for inner in structs_in(kind):
            if inner not in SHARED and comments(inner):
                inside.setdefault(inner, []).append(f"`{name}`")
    return "\n\n".join([text, *(f"{', '.join(names)}:\n\n{fields(inner)}" for inner, names in inside.items())])


def parts() -> dict[str, str]:
    """Every generated part of the page, by the name in its comments."""
    types = types_of(Report)
    made = {
        "report": table(("field", "is"), ((f"`{name}`", text) for name, text in comments(Report).items())),
        "groups": fields(Groups) + "\n\nEach group:\n\n" + fields(Percentiles),
        "figures": table(
            ("figure", "from", "to"), ((f"`{one.name}`", one.since, one.until) for one in FIGURES.values())
        ),
        "findings": table(
            ("finding", "is", "section"),
            ((f"`{rule.name}`", rule.meaning, f"`{rule.section}`") for rule in rules()),
        ),
    }
    for name in (*ORDER, "verdict", "findings_list"):
        kind = types["findings" if name == "findings_list" else name]
        found = [struct for struct in structs_in(kind) if struct not in SHARED]
        if found:
            made[name] = "\n\n".join(map(fields, found))
    return made
