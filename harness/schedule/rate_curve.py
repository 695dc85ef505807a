"""A rate over time, and the inverse of its integral: when a given number of messages has become due. Pure arithmetic.

A curve consists of pieces in each of which the rate is linear, so the inverse is exact (a square root) and costs a
bisection in a short table that all sessions share. A curve may repeat: a sine over a week needs only the pieces of one
period. Those are chords of the sine, whose integral is exact over each period and, within one, short of the sine's
swing by one part in 20,000.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from ..plan.load import Load
from ..plan.shape import Ramp, Sine, Spike, Steps

CHORDS = 256
"""Pieces of one period of a sine."""


class Piece(NamedTuple):
    """`length_s` long, the rate going from `from_per_s` to `to_per_s`."""

    length_s: float
    from_per_s: float
    to_per_s: float


class Curve:
    """The rate from second 0 on; after its last piece it begins again when it `repeats`, and else is over."""

    __slots__ = ("_begins", "_heights", "_length", "_pieces", "_repeats", "_rounds")

    def __init__(self, pieces: Iterable[Piece], *, repeats: bool = False) -> None:
        self._pieces = [piece for piece in pieces if piece.length_s > 0]
        self._begins = [0.0]
        self._heights = [0.0]
        for length, first, last in self._pieces:
            self._begins.append(self._begins[-1] + length)
            self._heights.append(self._heights[-1] + length * (first + last) / 2)
        self._length = self._begins[-1]
        self._rounds = self._heights[-1]
        self._repeats = repeats

    def when(self, total: float) -> float:
        """The last moment, in seconds, at which the integral is not yet above `total`; infinite when it never is."""
        done = 0.0
        if self._repeats and self._rounds:
            rounds, total = divmod(total, self._rounds)
            done = rounds * self._length
        index = bisect_right(self._heights, total) - 1
        if index >= len(self._pieces):
            return math.inf
        length, first, last = self._pieces[index]
        more = total - self._heights[index]
        slope = (last - first) / length
        # The root of first x t + slope x t^2 / 2 = more, in the form that survives a slope of 0 and cancellation.
        root = math.sqrt(max(0.0, first * first + 2 * slope * more)) + first
        return done + self._begins[index] + (min(length, 2 * more / root) if root > 0 else 0.0)


def curve(load: Load) -> Curve:
    """The rate of one session over the load, by the plan's shape."""
    shape, rate, length = load.shape, load.rate_per_s, load.duration_s
    if isinstance(shape, Ramp):
        over = length if shape.over_s is None else shape.over_s
        return Curve([Piece(over, rate, shape.to_per_s), _flat(length - over, shape.to_per_s)])
    if isinstance(shape, Steps):
        rates = [rate, *shape.then_per_s]
        step = length / len(rates) if shape.step_s is None else shape.step_s
        return Curve(
            [*(_flat(step, each) for each in rates[:-1]), _flat(length - step * len(shape.then_per_s), rates[-1])]
        )
    if isinstance(shape, Spike):
        return Curve(
            [
                _flat(shape.after_s, rate),
                Piece(shape.rise_s, rate, shape.peak_per_s),
                _flat(shape.hold_s, shape.peak_per_s),
                Piece(shape.fall_s, shape.peak_per_s, rate),
                _flat(length, rate),
            ]
        )
    if isinstance(shape, Sine):
        swing = [rate + shape.amplitude_per_s * math.sin(2 * math.pi * n / CHORDS) for n in range(CHORDS + 1)]
        chord_s = shape.period_s / CHORDS
        return Curve([Piece(chord_s, max(0.0, swing[n]), max(0.0, swing[n + 1])) for n in range(CHORDS)], repeats=True)
    return Curve([_flat(length, rate)])


def _flat(length_s: float, rate_per_s: float) -> Piece:
    return Piece(length_s, rate_per_s, rate_per_s)
