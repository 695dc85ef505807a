"""Turnover: what the endpoint's memory gains with each connection that comes and goes.

Memory that is kept for connections which have ended grows with their number, not with time. So it shows in a run that
is too short to judge growth by the hour. The method is that of `growth`, over the number of ended connections.
"""

import msgspec
import numpy as np

from harness.record.row import Gauge, Kind

from ..registry import section
from ..rows import Rows
from .growth import trend

FEW = 20
"""The fewest ended connections from which a rise is divided by them."""


class Turnover(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint's memory against the connections that ended during the load."""

    ended: int
    """connections that ended"""
    rise_mib: float
    """rise of the endpoint's resident memory meanwhile"""
    kib_per_connection: float
    """rise for each connection that ended"""
    low_kib: float
    """lower end of its 95 % interval"""
    high_kib: float
    """upper end of its 95 % interval"""


@section("turnover")
def turnover(rows: Rows) -> Turnover | None:
    """None where the endpoint's memory was not read, or fewer than 20 connections ended."""
    begin, end = rows.load_start_ns, min(rows.load_end_ns, rows.last_ns)
    samples = rows.of(Kind.SAMPLE)
    samples = samples[samples["code"] == Gauge.ENDPOINT_RESIDENT_BYTES]
    samples = samples[(samples["arrived"] >= begin) & (samples["arrived"] < end)]
    closed = np.sort(rows.of(Kind.CLOSE)["arrived"])
    gone = np.searchsorted(closed, samples["arrived"])
    if len(gone) < 2 or gone[-1] - gone[0] < FEW:
        return None
    first, after = int(gone[0]), int(gone[-1]) + 1
    found = trend(gone, samples["seq"] / 1024, first, after)
    if found is None:
        return None
    per = found.rise / (after - first)
    return Turnover(
        ended=after - 1 - first,
        rise_mib=round(per * (after - 1 - first) / 1024, 1),
        kib_per_connection=round(per, 1),
        low_kib=round(found.low / (after - first), 1),
        high_kib=round(found.high / (after - first), 1),
    )
