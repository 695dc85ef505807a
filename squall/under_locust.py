"""What a locustfile calls: the run under Locust's own command line, judged at its end as `squall run` does."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import PASS, SquallError
from harness.plan.shipped import find

from .commands.report import show_report
from .terminal import console

if TYPE_CHECKING:
    from harness.engine.users import RealtimeUser

BUDGET, NO_GATE = "SQUALL_BUDGET", "SQUALL_NO_GATE"


def run_under_locust() -> "type[RealtimeUser]":
    """All that a locustfile needs: hooks the plan of SQUALL_PLAN into Locust, and gives the user class to run.

    At its end the run is reported and judged by SQUALL_BUDGET (a file or a shipped name; without it, by the default
    budget), and Locust exits by the verdict; with a value in SQUALL_NO_GATE, by 0 for any report. A plan or budget that
    is wrong ends the process with one line and the exit code.
    """
    from harness.engine import locust_runner

    from .reporting import gate

    try:
        budget = find(os.environ.get(BUDGET) or "default", "budgets")
        gate.load_budget(budget)
    except SquallError as error:
        print(f"squall: {error}", file=sys.stderr)
        sys.exit(error.exit_code)

    def judge(directory: Path) -> int:
        code = show_report(directory, console(stderr=True), budget)
        return PASS if os.environ.get(NO_GATE) else code

    return locust_runner.run_under_locust(judge)
