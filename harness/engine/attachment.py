"""Which generator the users of a Locust environment work for: Locust makes users and passes only the environment."""

import weakref
from typing import Any

from .generator import Generator

_GENERATORS: "weakref.WeakKeyDictionary[Any, Generator]" = weakref.WeakKeyDictionary()


def attach(environment: Any, generator: Generator) -> None:
    """Let the users of this Locust environment work for this generator."""
    _GENERATORS[environment] = generator


def detach(environment: Any) -> Generator | None:
    """Take it back; None when there was none."""
    return _GENERATORS.pop(environment, None)


def attached(environment: Any) -> Generator | None:
    """The generator of this environment; None when no run is on."""
    return _GENERATORS.get(environment)
