"""The dialects that there are: name, maker, and what a plan must say for each.

A dialect is one module of `harness.wire.dialects`, which registers itself. Plans are read below that layer, so the
modules are found by the package's name, as entry points are, and not imported statically.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..errors import PlanError, did_you_mean

if TYPE_CHECKING:
    from .endpoint import Endpoint

PACKAGE = "harness.wire.dialects"


@dataclass(frozen=True, slots=True)
class DialectKind:
    """One dialect as plans know it."""

    name: str
    """The value of `endpoint.dialect`."""
    module: str
    """Where it is defined."""
    make: Callable[["Endpoint"], Any]
    """Gives the dialect that an endpoint speaks; raises PlanError where its description is wrong."""
    needs_room: Callable[["Endpoint"], bool]
    """Whether a message says which room it is for."""
    why_not: Callable[["Endpoint"], str]
    """What the plan lacks for it, in one line; "" when nothing."""


_REGISTRY: dict[str, DialectKind] = {}


def register(kind: DialectKind) -> None:
    """Make a dialect known.

    Raises:
        TypeError: the name is taken.
    """
    if kind.name in _REGISTRY:
        raise TypeError(f"dialect {kind.name}: the name is taken")
    _REGISTRY[kind.name] = kind


@cache
def dialects() -> Mapping[str, DialectKind]:
    """Every dialect by name, in the order of their names.

    Raises:
        ImportError: a module of the package registers no dialect.
    """
    for module in pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__, f"{PACKAGE}."):
        importlib.import_module(module.name)
        if module.name not in {kind.module for kind in _REGISTRY.values()}:
            raise ImportError(f"{module.name} registers no dialect")
    return dict(sorted(_REGISTRY.items()))


def dialect_of(name: str) -> DialectKind:
    """The dialect of this name.

    Raises:
        PlanError: there is none; names the known ones and the nearest.
    """
    kind = dialects().get(name)
    if kind is None:
        hint = f"{did_you_mean(name, dialects())} known: {', '.join(dialects())}".lstrip()
        raise PlanError(f'endpoint.dialect: there is no "{name}"; {hint}')
    return kind
