"""`@command()`: makes a function a subcommand of `squall` and registers it."""

from collections.abc import Callable
from typing import Any

import click

EXITS = "Exit codes: 0 pass, 1 fail, 2 usage error, 3 unfit or inconclusive."
REGISTRY: dict[str, click.Command] = {}
"""Every command by its name."""


def command(*, epilog: str = EXITS) -> Callable[[Callable[..., Any]], click.Command]:
    """Register a function, with the options that decorate it, as the command of its name.

    Args:
        epilog: what follows the options in its help.
    """
    return lambda function: register(click.command(epilog=epilog)(function))


def register(made: click.Command) -> click.Command:
    """Register a command that was made elsewhere."""
    REGISTRY[str(made.name)] = made
    return made
