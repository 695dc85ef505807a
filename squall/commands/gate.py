"""`squall gate`: judge a run by a budget."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.plan.shipped import find, shipped

from ..terminal import console
from .registry import EXITS, command

if TYPE_CHECKING:
    from rich.console import Console

    from reports.report import Report


@command(epilog=f"Shipped budgets: {', '.join(shipped('budgets'))}.\n\n{EXITS}")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--budget", default="default", show_default=True, metavar="FILE",
              help="A TOML file or a shipped name.")  # fmt: skip
def gate(directory: Path, budget: str) -> None:
    """Judge a run by a budget.

    Prints every clause of the budget with its limit, value and margin. DIRECTORY is the path that `squall run` printed.
    """
    from ..reporting import build

    sys.exit(show_verdict(build.build_report(directory), budget, console()))


def show_verdict(report: "Report", budget: str, shown_on: "Console") -> int:
    """Print every clause, and give the exit code."""
    from ..reporting import gate as gates

    judgement = gates.judge(report, find(budget, "budgets"))
    gates.show(judgement, shown_on)
    return judgement.exit_code
