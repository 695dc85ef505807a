"""Sections and findings: `@section` and `@finding` register them, and their parameters say what they are computed from.

A parameter's name is what it is given: `rows`, `directory`, or a section by its name in the report. So

    @section("storms")
    def storms(rows: Rows) -> list[Storm]: ...

    @finding("lost", section="ledger", meaning="...", sentence="{count} of {owed} deliveries never arrived")
    def lost(ledger: Ledger) -> Verdict: ...

and whatever the ledger needs is computed before it. `report.py` has one field for each section, which says its type.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

import msgspec

from harness.record.run_directory import RunDirectory

from . import words
from .rows import Rows

T = TypeVar("T")
Compute = TypeVar("Compute", bound=Callable[..., object])

SECTIONS: dict[str, Callable[..., object]] = {}
"""The function of each section, by the section's name."""


def section(name: str) -> Callable[[Compute], Compute]:
    """Register the function that computes a section of the report."""

    def register(compute: Compute) -> Compute:
        if name in SECTIONS:
            raise TypeError(f'the section "{name}" is registered twice')
        SECTIONS[name] = compute
        return compute

    return register


class Known(dict[str, object]):
    """The material of one report: rows, run directory, and every section, computed when it is first asked for."""

    def __init__(self, directory: RunDirectory, rows: Rows) -> None:
        super().__init__(directory=directory, rows=rows)

    def __missing__(self, name: str) -> object:
        self[name] = call(SECTIONS[name], self)
        return self[name]


def call(function: Callable[..., T], known: dict[str, object]) -> T:
    """Call a function with what its parameters name."""
    return function(**{name: known[name] for name in inspect.signature(function).parameters})


class NotJudged(msgspec.Struct, frozen=True):
    """A finding that nothing in this run could have shown.

    Args:
        why: the reason, in a few words.
        expected: the run was to show it: then it has no verdict by a clause that asks for this finding.
    """

    why: str
    expected: bool = False


class Clean(msgspec.Struct, frozen=True):
    """A finding that was judged and not made.

    Args:
        looked_at: how many were looked at; at least 1, because nothing looked at is `NotJudged`.
        of: what they are, in a few words in the plural.

    Raises:
        ValueError: nothing was looked at.
    """

    looked_at: int
    of: str

    def __post_init__(self) -> None:
        if self.looked_at < 1:
            raise ValueError(f"nothing was looked at: no {self.of}")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that was made.

    Args:
        count: how many; at least 1.
        looked_at: among how many.
        of: what they are, in a few words in the plural.
        first_s: when first, in seconds since the run began; None where that is not known.
        whom: which sessions or rooms, in a few words; "" where that is not known.
        values: what the sentence needs beside `count`.
    """

    count: int
    looked_at: int
    of: str
    first_s: float | None = None
    whom: str = ""
    values: dict[str, object] = {}


Verdict = NotJudged | Clean | Found
"""What a finding's function returns: not judged, judged and none, or found."""


Basis = Literal["presence", "absence", "latency"]


@dataclass(frozen=True)
class Rule:
    """One finding.

    Args:
        name: its name in the report.
        section: the section of the report that shows more of it.
        meaning: what it is, for the documentation.
        sentence: what the report says of it, a template with the values of Found.
        judge: decides it.
        rests_on: what it is made of: something seen (`presence`), something not seen (`absence`: rows that the
            generator lost could explain it), or a delay (`latency`: a slow generator could explain it).
    """

    name: str
    section: str
    meaning: str
    sentence: str
    judge: Callable[..., Verdict]
    rests_on: Basis = "presence"


RULES: dict[str, Rule] = {}
"""Every finding by name."""

Judge = TypeVar("Judge", bound=Callable[..., Verdict])


def finding(
    name: str, *, section: str, meaning: str, sentence: str, rests_on: Basis = "presence"
) -> Callable[[Judge], Judge]:
    """Register a finding; the arguments are those of Rule."""

    def register(judge: Judge) -> Judge:
        if name in RULES:
            raise TypeError(f'the finding "{name}" is registered twice')
        RULES[name] = Rule(name, section, meaning, sentence, judge, rests_on)
        return judge

    return register


def found(
    count: int, looked_at: int, of: str, *, first_s: float | None = None, whom: str = "", **values: object
) -> Verdict:
    """The verdict on a count: found, judged and none, or not judged because there was nothing to look at.

    Args:
        count: how many are wrong.
        looked_at: how many were looked at.
        of: what these are, in a few words in the plural ("deliveries owed").
        first_s: when first, in seconds since the run began; None where that is not known.
        whom: which sessions or rooms, in a few words.
        values: what the sentence needs beside `count`.
    """
    if count:
        return Found(count=count, looked_at=looked_at, of=of, first_s=first_s, whom=whom, values=values)
    return Clean(looked_at, of) if looked_at else NotJudged(words.NOTHING_TO_LOOK_AT.format(of=of))


def named(what: str, numbers: Iterable[int], most: int = 5) -> str:
    """A few of these numbers in words.

    >>> named("room", [3, 1, 3])
    'rooms 1, 3'
    """
    distinct = sorted({int(number) for number in numbers})
    more = f" and {len(distinct) - most} more" if len(distinct) > most else ""
    return f"{what}{'s' if len(distinct) != 1 else ''} {', '.join(map(str, distinct[:most]))}{more}"


def check(report: type[msgspec.Struct], given: frozenset[str]) -> None:
    """See that every section, finding and view fits the report; a mistake is an error at import, not in a run.

    Args:
        report: the struct with one field for each section.
        given: the fields that are no sections.

    Raises:
        TypeError: a field has no section, a finding names none, or a parameter has another type than what it names.
    """
    types = types_of(report)
    if missing := types.keys() - given ^ SECTIONS.keys():
        raise TypeError(f"sections and the fields of {report.__name__} differ: {', '.join(sorted(missing))}")
    for name, compute in SECTIONS.items():
        if inspect.signature(compute).return_annotation != types[name]:
            raise TypeError(f'the section "{name}" does not return {types[name]}')
        check_parameters(compute, types)
    for rule in RULES.values():
        if rule.section not in SECTIONS:
            raise TypeError(f'the finding "{rule.name}" names no section: {rule.section}')
        check_parameters(rule.judge, types)


def types_of(struct: type[msgspec.Struct]) -> dict[str, object]:
    """The type of each field."""
    return {field.name: field.type for field in msgspec.structs.fields(struct)}


def check_parameters(function: Callable[..., object], types: dict[str, object]) -> None:
    """See that each parameter of a function is one that can be given, with its type."""
    known = {**types, "rows": Rows, "directory": RunDirectory}
    for name, parameter in inspect.signature(function).parameters.items():
        if known.get(name) != parameter.annotation:
            raise TypeError(f"{function.__module__}.{function.__name__}: nothing called {name} is a {parameter}")
