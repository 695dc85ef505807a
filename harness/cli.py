"""The command line: `squall run | report | gate | serve | token`. The composition root, and nothing else.

It must import quickly: whatever is heavy, or patches sockets (Locust), is imported by the command that needs it.
Every failure that a user can cause is a SquallError and ends here in one line and its exit code:

    0  pass: the run is fit, every clause of the budget holds
    1  fail: a clause of the budget does not hold
    2  usage: the command line, the plan, or the run directory is wrong
    3  unfit: the run could not be made, or cannot be judged
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .endpoint.command import serve, token
from .errors import FAIL, PASS, UNFIT, USAGE, SquallError
from .plan import load_plan, parse_override
from .shipped import find

EXITS = "Exit codes: 0 pass, 1 fail, 2 usage, 3 unfit."
FLAGS = {
    "url": "endpoint.url",
    "sessions": "load.sessions",
    "rooms": "load.rooms",
    "rate": "load.rate_per_s",
    "duration": "load.duration_s",
    "seed": "seed",
}


@click.group(epilog=EXITS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="squall", prog_name="squall")
def squall() -> None:
    """Load-testing and chaos harness for real-time endpoints."""


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
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
        command = option(command)
    return command


@squall.command(epilog=EXITS)
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
        from reports.gate import load_budget

        load_budget(find(budget, "budgets"))  # a wrong one is told before the run, not after it
    from . import solo  # patches sockets

    console = _console(stderr=True)
    directory = solo.run(resolved, out, path, console)
    _console().out(directory, highlight=False)
    if no_report:
        return
    sys.exit(_report(directory, console, budget, note=True))


@squall.command(epilog=EXITS)
@click.argument("directory", type=click.Path(path_type=Path))
def report(directory: Path) -> None:
    """Compute report.json and report.html of a run DIRECTORY, and print the summary."""
    sys.exit(_report(directory, _console(), None, note=True))


@squall.command(epilog=EXITS)
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--budget", default="default", show_default=True, metavar="FILE",
              help="A TOML file, or the name of a shipped one.")  # fmt: skip
def gate(directory: Path, budget: str) -> None:
    """Judge a run DIRECTORY by a budget: every clause with limit, value and margin."""
    from reports.build import build_report

    sys.exit(_judge(build_report(directory), budget, _console()))


def _console(*, stderr: bool = False) -> Any:
    """A terminal to print on. One that nobody reads any more (`| head`) changes neither the run nor its exit code."""
    from rich.console import Console

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())  # what is buffered goes nowhere

    return Patient(stderr=stderr)


def _report(directory: Path, console: Any, budget: str | None, *, note: bool) -> int:
    from reports.terminal import show
    from reports.write import write

    report = write(directory)
    show(report, console)
    if note:
        console.print(f"\nreport: {directory / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    if budget is not None:
        return _judge(report, budget, console)
    return PASS if report["fitness"]["verdict"] == "fit" else UNFIT


def _judge(report: dict[str, Any], budget: str, console: Any) -> int:
    from reports.gate import judge, show

    judgement = judge(report, find(budget, "budgets"))
    show(judgement, console)
    return judgement.exit_code


squall.add_command(serve)
squall.add_command(token)


def main() -> None:
    """Run the command line; every expected failure is one line on stderr."""
    try:
        squall(standalone_mode=False)
    except SquallError as error:
        click.echo(f"squall: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("squall: interrupted", err=True)
        sys.exit(UNFIT)


__all__ = ["FAIL", "main", "squall"]

if __name__ == "__main__":
    main()
