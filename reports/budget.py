"""Budgets: read, and checked against what a report can hold before any run.

A clause names a figure by its path in report.json. The paths follow from the report's structs and from the registered
figures and findings.
"""

import math
import tomllib
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.errors import UsageError, did_you_mean

from . import findings, sections  # register every section and finding
from .figures import FIGURES
from .registry import RULES
from .report import Report

__all__ = ["Budget", "Clause", "current_name", "findings", "load_budget", "places", "sections"]

RENAMED = {
    "untouched": "unaffected",
    "faulted": "affected",
    "sessions_faulted": "sessions_affected",
    "by_way": "by_method",
    "noticed": "detected",
    "noticed_at_most": "detected_at_most",
    "noticed_at_least": "detected_at_least",
    "unnoticed": "undetected",
    "unseen": "never_listed",
    "poll": "look",
}
"""Names that budgets of before 0.1.0 may use, and what they are now."""
ANY = "*"
"""Matches any key in a path."""
EVERY_FINDING = "finding_counts.*"
"""What a clause on every finding names; those that were not judged do not count."""


class Clause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One limit: at least one of the three bounds."""

    figure: str
    """path of the figure in report.json; `finding_counts.*` names every finding"""
    max: float | None = None
    """largest value that passes"""
    min: float | None = None
    """smallest value that passes"""
    equals: float | None = None
    """the only value that passes"""


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The limits that a run is judged by."""

    clause: list[Clause]
    """the limits; at least one"""
    name: str = "budget"
    """name of the budget"""


def load_budget(path: Path) -> Budget:
    """Read a budget.

    Raises:
        UsageError: it is not there, not TOML, has an unknown key, no clause, a clause without a bound or with one that
            is no finite number, or a figure that no report has.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        budget = msgspec.convert(data, Budget)
    except OSError as error:
        raise UsageError(f"cannot read the budget {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}{_nearest_key(str(error))}") from None
    if not budget.clause:
        raise UsageError(f"{path}: a budget needs at least one [[clause]]")
    known = list(places())
    for clause in budget.clause:
        if clause.max is clause.min is clause.equals is None:
            raise UsageError(f'{path}: the clause on "{clause.figure}" needs max, min or equals')
        if wrong := _wrong_bounds(clause):
            raise UsageError(f'{path}: the clause on "{clause.figure}" {wrong}')
        figure = current_name(clause.figure)
        if figure != EVERY_FINDING and not any(_fits(figure, place) for place in known):
            meant = _suggestion(figure, known)
            raise UsageError(f'{path}: no report has the figure "{clause.figure}"{meant}')
    return budget


def _wrong_bounds(clause: Clause) -> str:
    """What is wrong with a clause's bounds; "" when a value can keep them."""
    bounds = {name: getattr(clause, name) for name in ("max", "min", "equals")}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    for name, bound in given.items():
        if not math.isfinite(bound):
            return f"has {name} = {bound}, which is no limit"
    low, high = (given.get(name, given.get("equals")) for name in ("min", "max"))
    if low is not None and high is not None and low > high:
        return "cannot hold: its bounds exclude each other"
    return ""


def current_name(figure: str) -> str:
    """A path with the names of today, where a budget still uses old ones."""
    return ".".join(RENAMED.get(name, name) for name in figure.split("."))


def places() -> Iterator[str]:
    """The path of every number that a report can hold; `*` is for keys that are not known beforehand."""
    keys = {"figures": tuple(FIGURES), "finding_counts": tuple(RULES)}
    for field in msgspec.structs.fields(Report):
        if field.name == "verdict":  # is made of the clauses
            continue
        yield from _places(field.type, field.name, keys.get(field.name, (ANY,)))


def _places(kind: object, path: str, keys: tuple[str, ...] = (ANY,)) -> Iterator[str]:
    """The paths of the numbers in a value of this type; `keys` are those of a mapping."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        for one in typing.get_args(kind):
            yield from _places(one, path, keys)
    elif typing.get_origin(kind) is dict:
        for key in keys:
            yield from _places(typing.get_args(kind)[1], f"{path}.{key}")
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            yield from _places(field.type, f"{path}.{field.name}")
    elif _is_number(kind):
        yield path


def _is_number(kind: object) -> bool:
    if typing.get_origin(kind) is typing.Annotated:
        kind = typing.get_args(kind)[0]
    return kind in (int, float)


def _fits(figure: str, place: str) -> bool:
    names, pattern = figure.split("."), place.split(".")
    return len(names) == len(pattern) and all(known in (name, ANY) for name, known in zip(names, pattern, strict=True))


def _nearest_key(text: str) -> str:
    unknown = text.split("unknown field `", 1)[-1].split("`", 1)[0] if "unknown field" in text else ""
    known = [*Clause.__struct_fields__, *Budget.__struct_fields__]
    return _suggestion(unknown, known) if unknown else ""


def _suggestion(unknown: str, known: list[str]) -> str:
    hint = did_you_mean(unknown, known)
    return f"; {hint}" if hint else ""
