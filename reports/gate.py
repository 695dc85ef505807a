"""The gate: judge a report by a budget, clause by clause.

A figure that is absent fails its clause, because a gate that passes what was never measured is worse than none; and a
run that is unfit is not judged.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import FAIL, PASS, UNFIT

from .budget import Clause, current_name, load_budget
from .report import Report

__all__ = ["Judged", "Judgement", "judge", "load_budget", "look_up", "show"]


@dataclass(frozen=True)
class Judged:
    """One clause and its result; `margin` is what is left (negative: exceeded), None when the figure is absent."""

    clause: Clause
    value: float | None
    margin: float | None
    passed: bool

    @property
    def limit(self) -> str:
        """The bounds in words."""
        bounds = (("=", self.clause.equals), (">=", self.clause.min), ("<=", self.clause.max))
        return " and ".join(f"{sign} {value:g}" for sign, value in bounds if value is not None)


@dataclass(frozen=True)
class Judgement:
    """Every clause, and the verdict: pass, fail or unfit.

    Args:
        clauses: every clause of the budget.
        verdict: pass, fail or unfit.
        reasons: why the run is unfit.
        notes: what to know of the run although it is fit, for example that it was interrupted.
    """

    clauses: tuple[Judged, ...]
    verdict: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """What the command line ends with."""
        return {"pass": PASS, "fail": FAIL}.get(self.verdict, UNFIT)


def judge(report: Report, budget: Path) -> Judgement:
    """Judge a report by a budget file.

    Raises:
        UsageError: the budget cannot be read or is wrong.
    """
    clauses = tuple(_judged(clause, report) for clause in load_budget(budget).clause)
    fitness = report.fitness
    if fitness.verdict != "fit":
        return Judgement(clauses, "unfit", tuple(fitness.reasons))
    return Judgement(clauses, "pass" if all(one.passed for one in clauses) else "fail", (), tuple(fitness.notes))


def look_up(report: Report, path: str) -> float | None:
    """The number at a dotted path of the report; None when there is none."""
    place: object = report
    for name in current_name(path).split("."):
        if isinstance(place, msgspec.Struct):
            place = getattr(place, name, None)
        else:
            place = place.get(name) if isinstance(place, dict) else None
    return float(place) if isinstance(place, int | float) and not isinstance(place, bool) else None


def _judged(clause: Clause, report: Report) -> Judged:
    value = look_up(report, clause.figure)
    if value is None:
        return Judged(clause, None, None, False)
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
    for reason in judgement.reasons:
        console.print(f"  {reason}", style="red", highlight=False, markup=False, soft_wrap=True)
    for note in judgement.notes:
        console.print(f"  {note}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    style = {"pass": "bold green", "fail": "bold red"}.get(judgement.verdict, "bold yellow")
    console.print(Text.assemble("gate: ", (judgement.verdict, style)))
