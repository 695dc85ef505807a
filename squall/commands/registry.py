"""`@command`: makes a function a subcommand of `squall` and registers it."""

from collections.abc import Callable
from typing import Any

import click

EXITS = "Exit codes: 0 pass, 1 fail, 2 usage, 3 unfit."
REGISTRY: dict[str, click.Command] = {}
"""Every command by its name."""


def command(function: Callable[..., Any]) -> click.Command:
    """Register a function, with whatever options it carries, as the command of its name."""
    return register(click.command(epilog=EXITS)(function))


def register(made: click.Command) -> click.Command:
    """Register a command that was made elsewhere."""
    REGISTRY[str(made.name)] = made
    return made
