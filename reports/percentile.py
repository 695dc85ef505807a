"""One percentile for the whole report: an order statistic, never interpolated, in milliseconds.

It must not know whose values they are, nor how many are enough. The subtle thing: it is one of the values itself, so
a percentile of few values is a real one and never better than what somebody saw.
"""

import math
from typing import Any

import numpy as np

from .rows import Array

MILLION = 1e6


def percentile(values_ns: Array, share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed, in ms; None of nothing."""
    if not len(values_ns):
        return None
    return in_ms(np.sort(values_ns)[rank(len(values_ns), share)])


def rank(count: int, share: float) -> int:
    """Where that value stands among `count` of them in order, from 0."""
    return math.ceil(share * count) - 1


def in_ms(value_ns: Any) -> float:
    """Nanoseconds as milliseconds, to a tenth of a microsecond."""
    return round(float(value_ns) / MILLION, 4)
