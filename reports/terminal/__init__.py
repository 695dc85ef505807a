"""The summary of a report for a terminal: what is wrong first, then how fast, then who was lost.

Each section has a view, registered with `@lines`; they are shown in the order of the report's fields.
"""

import importlib
import pkgutil
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from .. import words
from ..registry import call, check_parameters, types_of
from ..report import Report
from .lines import VIEWS, Line

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

for _view in VIEWS.values():
    check_parameters(_view, types_of(Report))


def show(report: Report, console: Console) -> None:
    """Print the summary."""
    console.print()
    sections = {name: getattr(report, name) for name in report.__struct_fields__}
    for line in _head(report):
        _say(console, line)
    for name in sections:
        for shown in call(VIEWS[name], sections) if name in VIEWS else ():
            if isinstance(shown, Line):
                _say(console, shown)
            else:
                console.print(shown)


def _say(console: Console, line: Line) -> None:
    """One line. What a plan or an endpoint says may hold brackets: they are no markup."""
    console.print(line.text, style=line.style, highlight=False, markup=False, soft_wrap=True)


def _head(report: Report) -> Iterator[Line]:
    """What was run, whether it can be judged, and what was found."""
    run, fitness = report.run, report.fitness
    style = "bold green" if fitness.verdict == "fit" else "bold red"
    head = f" {run.status}, {run.duration_s:.0f} s, {run.sessions} sessions ({run.sessions_affected} affected): "
    yield Line(Text.assemble((run.name, "bold"), head, (fitness.verdict, style)))
    for reason in (*fitness.reasons, *run.warnings):
        yield Line(f"  {reason}", "red")
    if run.loop == "closed":
        yield Line(f"  {words.CLOSED_LOOP}", "yellow")
    for note in fitness.notes:
        yield Line(f"  {note}", "yellow")
    for skipped in run.skipped:
        yield Line(f"  skipped {skipped.fault}: {skipped.reason}", "yellow")
    if not report.findings:
        absent = [name for name, count in report.finding_counts.items() if count is None]
        unjudged = f" (not judged: {', '.join(absent)})" if absent else ""
        yield Line(f"findings  none{unjudged}")
    for finding in report.findings:
        yield Line(Text.assemble((f"{finding.name:<22}", "bold red"), f" {finding.text}"))
