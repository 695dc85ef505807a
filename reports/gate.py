"""The gate: judge a report by a budget, clause by clause.

A clause names a figure by its path in report.json and bounds it. The subtle thing: a figure that is absent fails its
clause, because a gate that passes what was never measured is worse than none; and a run that is unfit is not judged.
"""

import difflib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import FAIL, PASS, UNFIT, UsageError


class Clause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One limit: at least one of the three bounds."""

    figure: str
    max: float | None = None
    min: float | None = None
    equals: float | None = None


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is acceptable."""

    clause: list[Clause]
    name: str = "budget"


@dataclass(frozen=True)
class Judged:
    """One clause and how it came out; `margin` is what is left (negative: exceeded), None when absent.

    `near` is the figure that was probably meant, where the report has no place of that name at all.
    """

    clause: Clause
    value: float | None
    margin: float | None
    passed: bool
    near: str = ""

    @property
    def limit(self) -> str:
        """The bounds in words."""
        found = [
            f"{sign} {value:g}"
            for sign, value in (("=", self.clause.equals), (">=", self.clause.min), ("<=", self.clause.max))
            if value is not None
        ]
        return " and ".join(found)


@dataclass(frozen=True)
class Judgement:
    """Every clause, and the verdict: pass, fail or unfit."""

    clauses: tuple[Judged, ...]
    verdict: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What is to be known of the run although it is fit, for example that it was interrupted."""

    @property
    def exit_code(self) -> int:
        """What the command line ends with."""
        return {"pass": PASS, "fail": FAIL}.get(self.verdict, UNFIT)


def judge(report: dict[str, Any], budget: Path) -> Judgement:
    """Hold a report against a budget file.

    Raises:
        UsageError: the budget cannot be read or is wrong.
    """
    clauses = tuple(_judged(clause, report) for clause in load_budget(budget).clause)
    fitness = report["fitness"]
    if fitness["verdict"] != "fit":
        return Judgement(clauses, "unfit", tuple(fitness["reasons"]))
    return Judgement(clauses, "pass" if all(one.passed for one in clauses) else "fail", (), tuple(fitness["notes"]))


def load_budget(path: Path) -> Budget:
    """Read a budget.

    Raises:
        UsageError: it is not there, not TOML, has an unknown key, no clause, or a clause without a bound.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        budget = msgspec.convert(data, Budget)
    except OSError as error:
        raise UsageError(f"cannot read the budget {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}{_nearest(str(error))}") from None
    if not budget.clause:
        raise UsageError(f"{path}: a budget needs at least one [[clause]]")
    for clause in budget.clause:
        if clause.max is clause.min is clause.equals is None:
            raise UsageError(f'{path}: the clause on "{clause.figure}" needs max, min or equals')
    return budget


def _nearest(text: str) -> str:
    unknown = text.split("unknown field `", 1)[-1].split("`", 1)[0] if "unknown field" in text else ""
    known = [*Clause.__struct_fields__, *Budget.__struct_fields__]
    near = difflib.get_close_matches(unknown, known, 1) if unknown else []
    return f'; did you mean "{near[0]}"?' if near else ""


def look_up(report: dict[str, Any], path: str) -> float | None:
    """The number at a dotted path of the report; None when there is none."""
    found: Any = report
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return float(found) if _is_number(found) else None


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _places(found: Any, path: str = "") -> Iterator[str]:
    """The path of every figure of a report, measured or not."""
    if isinstance(found, dict):
        for name, inside in found.items():
            yield from _places(inside, f"{path}.{name}" if path else name)
    elif found is None or _is_number(found):
        yield path


def _meant(figure: str, report: dict[str, Any]) -> str:
    places = list(_places(report))
    if figure in places:
        return ""  # nothing was measured
    return next(iter(difflib.get_close_matches(figure, places, 1, 0.8)), "")


def _judged(clause: Clause, report: dict[str, Any]) -> Judged:
    value = look_up(report, clause.figure)
    if value is None:
        return Judged(clause, None, None, False, _meant(clause.figure, report))
    margins = []
    if clause.max is not None:
        margins.append(clause.max - value)
    if clause.min is not None:
        margins.append(value - clause.min)
    if clause.equals is not None:
        margins.append(0.0 - abs(value - clause.equals))
    return Judged(clause, value, min(margins), min(margins) >= 0)


def show(judgement: Judgement, console: Console) -> None:
    """Print every clause with limit, value and margin, and the verdict."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "figure", "limit", "value", "margin"):
        table.add_column(name, justify="right" if name in ("value", "margin") else "left")
    for one in judgement.clauses:
        value = "absent" if one.value is None else f"{one.value:g}"
        margin = "" if one.margin is None else f"{one.margin:g}"
        word = Text("pass", "green") if one.passed else Text("FAIL", "red")
        table.add_row(word, Text(one.clause.figure), one.limit, value, margin)
    console.print(table)
    for one in judgement.clauses:
        if one.near:
            said = f'  this report has no "{one.clause.figure}"; did you mean "{one.near}"?'
            console.print(said, style="yellow", highlight=False, markup=False, soft_wrap=True)
    for reason in judgement.reasons:
        console.print(f"  {reason}", style="red", highlight=False, markup=False, soft_wrap=True)
    for note in judgement.notes:
        console.print(f"  {note}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    style = {"pass": "bold green", "fail": "bold red"}.get(judgement.verdict, "bold yellow")
    console.print(Text.assemble("gate: ", (judgement.verdict, style)))
