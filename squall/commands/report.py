"""`squall report`: compute a run's report again."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import PASS
from harness.plan.shipped import find, shipped

from ..terminal import console
from .registry import EXITS, command

if TYPE_CHECKING:
    from rich.console import Console


@command(epilog=f"Shipped budgets: {', '.join(shipped('budgets'))}.\n\n{EXITS}")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--budget", default="default", show_default=True, metavar="FILE",
              help="Judge by this budget: a TOML file or a shipped name.")  # fmt: skip
@click.option("--no-gate", is_flag=True, help="Exit with 0 whatever the verdict.")
def report(directory: Path, budget: str, no_gate: bool) -> None:
    """Report a recorded run again.

    Writes report.json and report.html into the run DIRECTORY, prints the summary, and exits by the verdict.
    """
    code = show_report(directory, console(), find(budget, "budgets"))
    sys.exit(PASS if no_gate else code)


def show_report(directory: Path, shown_on: "Console", budget: Path) -> int:
    """Write the report, print its summary and where it is, and give the exit code of its verdict."""
    from ..reporting import terminal, write

    found = write.write(directory, budget)
    terminal.show(found, shown_on)
    shown_on.print(f"\nreport: {directory / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    return found.verdict.exit_code
