"""Defects: each one way in which real endpoints are wrong, as a function from honest parts to bent ones.

The honest code knows nothing of this file. The subtle thing: chance is drawn from one seeded generator, so that a
defect found once is found again.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from ...errors import UsageError, did_you_mean
from ..parts import Parts

Bend = Callable[[Parts, float, Random], Parts]


@dataclass(frozen=True, slots=True)
class Defect:
    """One way of being wrong. `default` is None where it takes no value; `limits` are the least and most value."""

    name: str
    summary: str
    bend: Bend
    default: float | None = None
    limits: tuple[float, float] = (0.0, 1.0)


REGISTRY: dict[str, Defect] = {}


def defect(
    name: str, summary: str, default: float | None = None, limits: tuple[float, float] = (0.0, 1.0)
) -> Callable[[Bend], Bend]:
    """Register a bend under a name."""

    def register(bend: Bend) -> Bend:
        REGISTRY[name] = Defect(name, summary, bend, default, limits)
        return bend

    return register


def chosen(texts: Iterable[str]) -> list[tuple[Defect, float]]:
    """Read `NAME` or `NAME=VALUE` texts.

    Raises:
        UsageError: an unknown name, a value out of range, or one where none is taken.
    """
    return [_choose(text) for text in texts]


def bent(parts: Parts, defects: Iterable[tuple[Defect, float]], seed: int) -> Parts:
    """The parts with every chosen defect, applied in order."""
    for number, (defect, value) in enumerate(defects):
        parts = defect.bend(parts, value, Random(f"{seed}-{number}-{defect.name}"))
    return parts


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
