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
from .verdict import headline, show_gate

__all__ = ["show", "show_gate"]

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
    """The verdict, what was run, and what was found."""
    run, fitness = report.run, report.fitness
    yield headline(run.name, report.verdict)
    yield Line(f"{run.status}, {run.duration_s:.0f} s, {run.sessions} sessions ({run.sessions_affected} affected)")
    made = {f"{finding.name}: {finding.text}" for finding in report.findings}
    for reason in dict.fromkeys((*report.verdict.reasons, *fitness.reasons, *run.warnings)):
        if reason not in made:  # is shown as a finding
            yield Line(f"  {reason}", "red")
    if run.loop == "closed":
        yield Line(f"  {words.CLOSED_LOOP}", "yellow")
    for note in fitness.notes:
        yield Line(f"  {note}", "yellow")
    for skipped in run.skipped:
        yield Line(f"  skipped {skipped.fault}: {skipped.reason}", "yellow")
    if not report.findings:
        yield Line("findings  none")
    for finding in report.findings:
        yield Line(Text.assemble((f"{finding.name:<22}", "bold red"), f" {finding.text}"))
