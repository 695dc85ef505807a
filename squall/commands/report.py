"""`squall report`: compute a run's report again."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import PASS, UNFIT

from ..terminal import console
from .gate import show_verdict
from .registry import command

if TYPE_CHECKING:
    from rich.console import Console


@command()
@click.argument("directory", type=click.Path(path_type=Path))
def report(directory: Path) -> None:
    """Report a recorded run again.

    Writes report.json and report.html into the run DIRECTORY and prints the summary.
    """
    sys.exit(show_report(directory, console(), None))


def show_report(directory: Path, shown_on: "Console", budget: str | None) -> int:
    """Write the report, print its summary and where it is, and give the exit code; by the budget where there is one."""
    from ..reporting import terminal, write

    found = write.write(directory)
    terminal.show(found, shown_on)
    shown_on.print(f"\nreport: {directory / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    if budget is not None:
        return show_verdict(found, budget, shown_on)
    return PASS if found.fitness.verdict == "fit" else UNFIT
