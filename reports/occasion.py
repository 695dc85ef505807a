"""When something was seen first, and whose it was: what a finding says beside its count."""

from typing import TypedDict

import msgspec
import numpy as np

from .registry import named
from .rows import Array, Rows


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """The first of several events, and the sessions of all of them."""

    first_s: float
    """when first, in seconds since the run began"""
    whom: str
    """whose they were, in a few words"""


class When(TypedDict):
    """The arguments of `registry.found` that an occasion answers."""

    first_s: float | None
    whom: str


def occasion(rows: Rows, found: Array) -> Occasion | None:
    """The occasion of some rows; None for no rows.

    The time of a row is when it arrived or, if nothing arrived, when it was sent or due.
    """
    if not len(found):
        return None
    times = np.where(found["arrived"] > 0, found["arrived"], np.where(found["sent"] > 0, found["sent"], found["due"]))
    return Occasion(first_s=rows.since_start_s(times.min()), whom=named("session", found["session"]))


def when(seen: Occasion | None) -> When:
    """An occasion as arguments of `registry.found`."""
    return When(first_s=None, whom="") if seen is None else When(first_s=seen.first_s, whom=seen.whom)
