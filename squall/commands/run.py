"""`squall run`: carry out a plan, record it, and report it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.plan import load_plan, parse_override
from harness.plan.shipped import find

from ..terminal import console
from .registry import command
from .report import show_report

FLAGS = {
    "url": "endpoint.url",
    "sessions": "load.sessions",
    "rooms": "load.rooms",
    "rate": "load.rate_per_s",
    "duration": "load.duration_s",
    "seed": "seed",
}


def plan_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that override a plan."""
    for option in reversed(
        [
            click.option("--url", metavar="URL", help='ws://host:port/path, or "embedded".'),
            click.option("--sessions", type=int, help="How many clients."),
            click.option("--rooms", type=int, help="How many rooms they spread over."),
            click.option("--rate", type=float, help="Messages a second, each session."),
            click.option("--duration", type=float, help="Seconds of load, after the ramp."),
            click.option("--seed", type=int, help="Seed of everything random."),
            click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
                         help="Any key of the plan, for example load.ramp_s=5; repeatable."),
        ]
    ):  # fmt: skip
        function = option(function)
    return function


@command
@click.argument("plan", required=False)
@plan_options
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              help="Where run directories are made.")  # fmt: skip
@click.option("--budget", metavar="FILE", help="Judge the report by this budget, too.")
@click.option("--no-report", is_flag=True, help="Only record.")
def run(plan: str | None, settings: tuple[str, ...], out: Path, budget: str | None, no_report: bool, **flags: Any
        ) -> None:  # fmt: skip
    """Carry out PLAN (a TOML file, or the name of a shipped one; without it: all defaults) and report it.

    The run directory's path goes to stdout, everything else to stderr. The first Ctrl-C ends the run in good order
    and still reports; the second leaves at once.
    """
    path = find(plan, "plans") if plan else None
    overrides = [(FLAGS[name], value) for name, value in flags.items() if value is not None]
    resolved = load_plan(path, [*overrides, *map(parse_override, settings)])
    if budget is not None:
        from ..reporting import gate

        gate.load_budget(find(budget, "budgets"))  # a wrong one is told before the run, not after it
    from harness.engine import local_runner  # patches sockets

    directory = local_runner.run(resolved, out, path, console(stderr=True))
    console().out(directory, highlight=False)
    if no_report:
        return
    sys.exit(show_report(directory, console(stderr=True), budget))
