"""`squall gate`: judge a run by a budget."""

import sys
from pathlib import Path

import click

from harness.plan.shipped import find, shipped

from ..terminal import console
from .registry import EXITS, command


@command(epilog=f"Shipped budgets: {', '.join(shipped('budgets'))}.\n\n{EXITS}")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--budget", default="default", show_default=True, metavar="FILE",
              help="A TOML file or a shipped name.")  # fmt: skip
def gate(directory: Path, budget: str) -> None:
    """Judge a run by a budget.

    Prints every clause of the budget with its limit, value and margin. DIRECTORY is the path that `squall run` printed.
    """
    from ..reporting import build, terminal

    report = build.build_report(directory, find(budget, "budgets"))
    terminal.show_gate(report, console())
    sys.exit(report.verdict.exit_code)
