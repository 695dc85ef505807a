"""`squall gate`: judge a run by a budget."""

import sys
from pathlib import Path
from typing import Any

import click

from harness.plan.shipped import find

from ..terminal import console
from .registry import command


@command
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--budget", default="default", show_default=True, metavar="FILE",
              help="A TOML file, or the name of a shipped one.")  # fmt: skip
def gate(directory: Path, budget: str) -> None:
    """Judge a run DIRECTORY by a budget: every clause with limit, value and margin."""
    from ..reporting import build

    sys.exit(show_verdict(build.build_report(directory), budget, console()))


def show_verdict(report: dict[str, Any], budget: str, shown_on: Any) -> int:
    """Print every clause, and give the exit code."""
    from ..reporting import gate as gates

    judgement = gates.judge(report, find(budget, "budgets"))
    gates.show(judgement, shown_on)
    return judgement.exit_code
