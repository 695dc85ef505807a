"""Arrivals and departures: when a session is due to open, and when to leave. Pure arithmetic; no clock.

Like messages (`pacing`), openings and departures have absolute due times that follow from the plan and its seed
alone, the same in every process, so that an endpoint that opens slowly cannot slow the load down (coordinated
omission). Given their number, the times of a Poisson process are independent and uniform: each session can compute its
own without knowing the others'.
"""

import math

from ..plan import Load
from ..units import SECOND
from .pacing import GOLDEN, exponential, mixed, session_key

COMING, STAYING = 0x0A1, 0x0A2
"""Laid over the seed, so that when people come, how long they stay and when they speak are independent."""


def open_due_ns(load: Load, seed: int, start_ns: int, number: int) -> int:
    """When session `number` is first due to open."""
    over_s, shape = load.open_over_s, load.arrivals.shape
    if shape == "poisson":
        share = _uniform(seed ^ COMING, number, 0)
    elif shape == "linear":
        share = math.sqrt(number / load.sessions)
    elif shape == "steps":
        steps = load.arrivals.steps or 1
        share = (number * steps // load.sessions) / steps
    else:
        share = number / load.sessions
    return start_ns + round(over_s * SECOND * share)


def stay_ns(load: Load, seed: int, number: int, life: int) -> int | None:
    """How long the life-th session (from 0) on seat `number` stays; None when it stays to the end."""
    departures = load.departures
    if departures.mean_s is None:
        return None
    mean_ns = departures.mean_s * SECOND
    if departures.shape == "fixed":
        return round(mean_ns)
    if departures.shape == "uniform":
        return round(mean_ns * (0.5 + _uniform(seed ^ STAYING, number, life)))
    return round(mean_ns * exponential(session_key(seed ^ STAYING, number), life))


def _uniform(seed: int, number: int, n: int) -> float:
    """A number in [0, 1) that depends on nothing but these three: no generator's state for each session to keep."""
    return (mixed(session_key(seed, number) + (n + 1) * GOLDEN) >> 11) * 2.0**-53
