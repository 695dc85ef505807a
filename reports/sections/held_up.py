"""Held up: deliveries to clients that read, late while another client did not read.

An endpoint that sends to the members of a room one after the other, and waits for each, lets one slow reader delay
everybody. What is late then is compared with the deliveries of messages that were sent while every client read.
"""

import msgspec
import numpy as np

from harness.units import SECOND

from ..ledger import live
from ..registry import section
from ..rows import Array, Rows, connection_keys

LATE_NS = SECOND
"""A delivery that takes less is not called held up, whatever is usual."""
TIMES_USUAL = 10
FEW = 20
"""The fewest deliveries from which something is called usual."""
RARE = 0.1
"""Late deliveries at other times may be this share of those during the fault, at most."""


class HeldUp(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries between connections without a fault, while other clients did not read."""

    not_reading: int
    """connections whose client stopped reading, or read slowly"""
    deliveries: int
    """deliveries of messages that were sent meanwhile, between connections without a fault"""
    usual_p99_ms: float | None
    """99th percentile of the delivery time of messages sent at other times; `null`: too few"""
    late: int
    """deliveries held up: later than a second and than ten times what is usual, and not as often at other times"""
    sessions: int
    """sessions that were held up"""
    longest_ms: float | None
    """the longest of them, from sending to arrival; `null`: none"""
    first_s: float | None
    """when the first of them was sent, since the run began; `null`: none"""


@section("held_up")
def held_up(rows: Rows) -> HeldUp | None:
    """None where every client read all the time."""
    faults = rows.faults[np.isin(rows.faults["code"], rows.fault_kinds.deaf)]
    if not len(faults):
        return None
    got, message = live(rows)
    affected = connection_keys(rows.faults)
    calm = ~np.isin(connection_keys(got), affected) & ~np.isin(connection_keys(message), affected)
    got, message = got[calm], message[calm]
    took = got["arrived"] - message["sent"]
    during = _inside(message["sent"], faults["sent"], rows.lifted_ns(faults))
    usual = took[~during]
    if len(usual) < FEW:
        return _made(rows, faults, during, None, np.zeros(len(took), bool), got, message)
    p99 = float(np.percentile(usual, 99, method="inverted_cdf"))
    late = took > max(LATE_NS, TIMES_USUAL * p99)
    share, elsewhere = float(np.mean(late[during])) if during.any() else 0.0, float(np.mean(late[~during]))
    if elsewhere > RARE * share:
        late = np.zeros(len(took), bool)
    return _made(rows, faults, during, p99, late & during, got, message)


def _made(
    rows: Rows, faults: Array, during: Array, p99: float | None, late: Array, got: Array, message: Array
) -> HeldUp:
    any_late = bool(late.any())
    return HeldUp(
        not_reading=len(np.unique(connection_keys(faults))),
        deliveries=int(np.count_nonzero(during)),
        usual_p99_ms=p99 / 1e6 if p99 is not None else None,
        late=int(np.count_nonzero(late)),
        sessions=len(np.unique(got["session"][late])),
        longest_ms=float((got["arrived"] - message["sent"])[late].max()) / 1e6 if any_late else None,
        first_s=rows.since_start_s(message["sent"][late].min()) if any_late else None,
    )


def _inside(times: Array, begins: Array, ends: Array) -> Array:
    """Which of these times lie in any of the intervals."""
    begun = np.searchsorted(np.sort(begins), times, side="right")
    over = np.searchsorted(np.sort(ends), times, side="right")
    within: Array = begun > over
    return within
