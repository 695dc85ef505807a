"""The command line: `squall check | run | report | gate | schema | serve | token`, a module of `squall.commands` each.

It imports quickly: what is heavy, or patches sockets (Locust), is imported by the command that needs it.
Every failure that a user can cause is a SquallError and ends here in one line and its exit code:

    0  pass: every clause of the budget holds, and the generator was fit
    1  fail: a clause of the budget does not hold
    2  usage: the command line, the plan, the budget or the run directory is wrong
    3  unfit or inconclusive: the run could not be made, was cut short, or cannot be judged
"""

import sys

import click

from harness.errors import UNFIT, USAGE, SquallError

from .commands import COMMANDS, EXITS


@click.group(epilog=EXITS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="squall", prog_name="squall")
def squall() -> None:
    """Load-testing and chaos harness for real-time endpoints."""


for command in COMMANDS:
    squall.add_command(command)


def main() -> None:
    """Run the command line; every expected failure is one line on stderr."""
    try:
        squall(prog_name="squall", standalone_mode=False)
    except SquallError as error:
        click.echo(f"squall: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("squall: interrupted", err=True)
        sys.exit(UNFIT)
