"""Storms: of the sessions that one fault dropped at once, how many were back after how long.

A session may be dropped again before it is back, or never come back. So each drop is matched with the first recovery
of that session after it and before the next drop; a curve that does not reach all sessions ends lower.
"""

import msgspec
import numpy as np

from harness.record.row import Kind, Outcome

from ..memberships import FOREVER, from_on
from ..registry import section
from ..rows import Array, Rows

LEAST_SESSIONS = 10
LEAST_SHARE = 0.1
POINTS = 60
SHARES = (0.5, 0.95, 1.0)


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """One fault that dropped at least ten sessions and a tenth of all."""

    at_s: float
    """when it was due, since the run began"""
    fault: str
    """the fault's name"""
    dropped: int
    """number of dropped sessions"""
    back: int
    """number of sessions that joined again before their next drop"""
    half_s: float | None
    """time until half of them were back; `null`: never"""
    p95_s: float | None
    """time until 95 % of them were back; `null`: never"""
    all_s: float | None
    """time until all of them were back; `null`: never"""
    curve: list[tuple[float, int]]
    """pairs of seconds since the drop and number of sessions back by then"""


@section("storms")
def storms(rows: Rows) -> list[Storm]:
    """One entry for each fault that dropped at least ten sessions and a tenth of all, by time."""
    faults, sessions = rows.drops, rows.manifest.plan.load.sessions
    entries = []
    for due, index in np.unique(np.stack([faults["due"], faults["peer"].astype(np.int64)]), axis=1).T:
        dropped = faults[(faults["due"] == due) & (faults["peer"] == index)]
        if len(dropped) < max(LEAST_SESSIONS, LEAST_SHARE * sessions):
            continue
        after = np.sort(_back_after(rows, faults, dropped)) / 1e9
        half, most, everybody = (_when(after, len(dropped), share) for share in SHARES)
        entries.append(
            Storm(
                at_s=rows.since_start_s(due),
                fault=rows.fault_kinds.label(int(dropped["code"][0])),
                dropped=len(dropped),
                back=len(after),
                half_s=half,
                p95_s=most,
                all_s=everybody,
                curve=_curve(after),
            )
        )
    return entries


def _back_after(rows: Rows, faults: Array, dropped: Array) -> Array:
    """For each dropped session that came back before it was dropped again: after how many nanoseconds."""
    back = rows.of(Kind.RECOVERY, Outcome.OK)
    returned = _next_time(back["session"], back["arrived"], dropped)
    again = _next_time(faults["session"], faults["sent"], dropped)
    found: Array = (returned - dropped["sent"])[returned < again]
    return found


def _next_time(session: Array, times: Array, dropped: Array) -> Array:
    """For each dropped session: its first of these times after the drop; FOREVER when there is none."""
    order = np.lexsort((times, session))
    spot, found = from_on(session[order], times[order], dropped["session"], dropped["sent"] + 1)
    after = np.full(len(dropped), FOREVER)
    after[found] = times[order][spot[found]]
    return after


def _when(after_s: Array, dropped: int, share: float) -> float | None:
    """After how many seconds this share of the dropped sessions was back; None if never."""
    needed = max(1, int(np.ceil(share * dropped)))
    return round(float(after_s[needed - 1]), 4) if len(after_s) >= needed else None


def _curve(after_s: Array) -> list[tuple[float, int]]:
    """Seconds since the drop, and how many were back by then; thinned to POINTS points, the last one kept."""
    if not len(after_s):
        return []
    chosen = np.unique(np.linspace(0, len(after_s) - 1, min(POINTS, len(after_s))).round().astype(int))
    return [(round(float(after_s[at]), 4), int(at) + 1) for at in chosen]
