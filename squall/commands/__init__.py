"""The commands, one module each; a module that defines one with `@command` is found here.

A command's module must import quickly: what is heavy is imported inside its function.
"""

import importlib
import pkgutil

import click

from .registry import EXITS, REGISTRY, command

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

COMMANDS: tuple[click.Command, ...] = tuple(REGISTRY[name] for name in sorted(REGISTRY))

__all__ = ["COMMANDS", "EXITS", "command"]
