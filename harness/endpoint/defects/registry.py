"""Defects: each one thing that real endpoints get wrong, as a function from correct policies to defective ones.

The correct code knows nothing of this file. Each defect draws from its own generator, seeded by the run: a defect that
was found once is found again.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from ...errors import UsageError, did_you_mean
from ..policies import Policies

Apply = Callable[[Policies, float, Random], Policies]


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect. `default` is None if it takes no value; `limits` are the smallest and largest value."""

    name: str
    summary: str
    apply: Apply
    default: float | None = None
    limits: tuple[float, float] = (0.0, 1.0)


REGISTRY: dict[str, Defect] = {}


def defect(
    name: str, summary: str, default: float | None = None, limits: tuple[float, float] = (0.0, 1.0)
) -> Callable[[Apply], Apply]:
    """Register a defect under a name."""

    def register(apply: Apply) -> Apply:
        REGISTRY[name] = Defect(name, summary, apply, default, limits)
        return apply

    return register


def chosen(texts: Iterable[str]) -> list[tuple[Defect, float]]:
    """Read `NAME` or `NAME=VALUE` texts.

    Raises:
        UsageError: an unknown name, a value out of range, or a value for a defect without one.
    """
    return [_choose(text) for text in texts]


def with_defects(policies: Policies, defects: Iterable[tuple[Defect, float]], seed: int) -> Policies:
    """The policies with every chosen defect, applied in order."""
    for number, (defect, value) in enumerate(defects):
        policies = defect.apply(policies, value, Random(f"{seed}-{number}-{defect.name}"))
    return policies


def _choose(text: str) -> tuple[Defect, float]:
    name, equals, given = text.partition("=")
    found = REGISTRY.get(name)
    if found is None:
        hint = did_you_mean(name, REGISTRY, "see --defects")
        raise UsageError(f"--defect {name}: there is no such defect; {hint}")
    if not equals:
        return found, found.default or 0.0
    if found.default is None:
        raise UsageError(f"--defect {text}: {name} takes no value")
    least, most = found.limits
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise UsageError(f"--defect {text}: give {name} a number from {least:g} to {most:g}")
    return found, value
