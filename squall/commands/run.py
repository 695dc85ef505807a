"""`squall run`: run a load test by a plan, record it, and report it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.errors import FAIL, PASS, RunFailed, UsageError
from harness.plan import Plan, load_plan, parse_override
from harness.plan.shipped import find, shipped

from ..terminal import console
from .registry import EXITS, command
from .report import show_report

FLAGS = {
    "url": "endpoint.url",
    "sessions": "load.sessions",
    "rooms": "load.rooms",
    "rate": "load.rate_per_s",
    "duration": "load.duration_s",
    "seed": "seed",
}
"""Which key of the plan each flag sets."""

EXAMPLES = f"""
\b
Examples:
  squall run demo
  squall run chat.toml --sessions 500 --set load.ramp_s=10
  squall run --url ws://127.0.0.1:8080/ws --sessions 20
  squall run chat.toml --budget limits.toml

Shipped plans: {", ".join(shipped("plans"))}.

Shipped budgets: {", ".join(shipped("budgets"))}.

{EXITS}
"""


def plan_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that override a plan."""
    options = [
        click.option("--url", metavar="URL", help='Endpoint to test: ws://HOST:PORT/PATH, or "embedded".'),
        click.option("--sessions", type=int, help="Number of sessions."),
        click.option("--rooms", type=int, help="Number of rooms that the sessions are spread over."),
        click.option("--rate", type=float, help="Messages per second, per session."),
        click.option("--duration", type=float, help="Seconds of load after the ramp."),
        click.option("--seed", type=int, help="Seed for everything random."),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
                     help="Set any key of the plan, for example load.ramp_s=5; repeatable."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def read_plan(plan: str | None, settings: tuple[str, ...], flags: dict[str, Any]) -> tuple[Plan, Path | None]:
    """The plan that a command line names, with its options laid over it, and its file.

    Raises:
        UsageError: it names none, or a wrong one.
    """
    overrides = [(FLAGS[name], value) for name, value in flags.items() if value is not None]
    if plan is None and not overrides and not settings:
        raise UsageError(f"name a plan: a TOML file, or one of: {', '.join(shipped('plans'))}")
    path = find(plan, "plans") if plan else None
    return load_plan(path, [*overrides, *map(parse_override, settings)]), path


@command(epilog=EXAMPLES)
@click.argument("plan", required=False)
@plan_options
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              help="Folder for run directories.")  # fmt: skip
@click.option(
    "--budget", metavar="FILE", help="Judge by this budget: a TOML file or a shipped name.  [default: default]"
)
@click.option("--no-check", is_flag=True, help="Do not check first whether the endpoint's answers are recognised.")
@click.option("--no-gate", is_flag=True, help="Exit with 0 for any report, whatever its verdict.")
@click.option("--no-report", is_flag=True, help="Record only: no report and no verdict; not with --budget.")
def run(
    plan: str | None, settings: tuple[str, ...], out: Path, budget: str | None, no_check: bool, no_gate: bool,
    no_report: bool, **flags: Any,
) -> None:  # fmt: skip
    """Run a load test, report it, and judge it.

    PLAN is a TOML file or the name of a shipped plan; options override its keys. Without PLAN, options such as --url
    override the defaults.

    The path of the run directory goes to stdout, everything else to stderr. Ctrl-C stops the run gracefully and still
    reports; a second Ctrl-C exits immediately. Such a run is inconclusive at best.
    """
    if no_report and budget is not None:
        raise UsageError("--no-report makes no report that --budget could judge: leave one of them out")
    resolved, path = read_plan(plan, settings, flags)
    limits = find(budget or "default", "budgets")
    if budget is not None:
        from ..reporting import gate

        gate.load_budget(limits)  # report a mistake in it before the run, not after
    from harness.engine import local_runner  # patches sockets

    failure: RunFailed | None = None
    try:
        directory = local_runner.run(resolved, out, path, console(stderr=True), dry_run=not no_check)
    except RunFailed as error:
        if error.directory is None:
            raise
        failure, directory = error, error.directory
    console().out(directory, highlight=False)
    code = PASS
    try:
        code = code if no_report else show_report(directory, console(stderr=True), limits)
    finally:
        if failure is not None:
            click.echo(f"squall: {failure}", err=True)
    if failure is not None and code != FAIL:
        code = failure.exit_code
    sys.exit(PASS if no_gate and failure is None else code)
