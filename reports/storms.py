"""Storms: of those whom one act of chaos dropped at a stroke, how many were back after how long.

It must not know how recovery is measured; it reads those rows. The subtle thing: a session may be dropped again before
it is back, or never come back, so each loss is matched with the first recovery of that session from then on and before
the next drop, and a curve that does not reach everybody says so by ending lower.
"""

from typing import Any

import numpy as np

from harness.record.row import Kind, Outcome

from .memberships import FOREVER, from_on
from .rows import Array, Rows

LEAST_SESSIONS = 10
LEAST_SHARE = 0.1
POINTS = 60
SHARES = (("half_s", 0.5), ("p95_s", 0.95), ("all_s", 1.0))


def storms(rows: Rows) -> list[dict[str, Any]]:
    """One entry for each act that dropped at least ten sessions and a tenth of all, in the order of time."""
    faults = rows.of(Kind.FAULT, Outcome.OK)
    faults = faults[np.isin(faults["code"], rows.fault_kinds.drops)]
    sessions = int(rows.manifest["plan"]["load"]["sessions"])
    found = []
    for due, index in np.unique(np.stack([faults["due"], faults["peer"].astype(np.int64)]), axis=1).T:
        struck = faults[(faults["due"] == due) & (faults["peer"] == index)]
        if len(struck) < max(LEAST_SESSIONS, LEAST_SHARE * sessions):
            continue
        after = np.sort(_back_after(rows, faults, struck)) / 1e9
        found.append(
            {
                "at_s": round((int(due) - rows.start_ns) / 1e9, 3),
                "fault": rows.fault_kinds.label(int(struck["code"][0])),
                "dropped": len(struck),
                "back": len(after),
                **{name: _when(after, len(struck), share) for name, share in SHARES},
                "curve": _curve(after),
            }
        )
    return found


def _back_after(rows: Rows, faults: Array, struck: Array) -> Array:
    """For each of the struck that came back before it was struck again: after how many nanoseconds."""
    back = rows.of(Kind.RECOVERY, Outcome.OK)
    returned = _next_time(back["session"], back["arrived"], struck)
    again = _next_time(faults["session"], faults["sent"], struck)
    found: Array = (returned - struck["sent"])[returned < again]
    return found


def _next_time(session: Array, times: Array, struck: Array) -> Array:
    """For each of the struck: its session's first of these times after it was struck; for ever when there is none."""
    order = np.lexsort((times, session))
    spot, found = from_on(session[order], times[order], struck["session"], struck["sent"] + 1)
    after = np.full(len(struck), FOREVER)
    after[found] = times[order][spot[found]]
    return after


def _when(after_s: Array, dropped: int, share: float) -> float | None:
    """After how long this share of the dropped was back; None when it never was."""
    needed = max(1, int(np.ceil(share * dropped)))
    return round(float(after_s[needed - 1]), 4) if len(after_s) >= needed else None


def _curve(after_s: Array) -> list[list[float]]:
    """Seconds since the drop, and how many were back by then; thinned to so many points, the last one kept."""
    if not len(after_s):
        return []
    chosen = np.unique(np.linspace(0, len(after_s) - 1, min(POINTS, len(after_s))).round().astype(int))
    return [[round(float(after_s[at]), 4), int(at) + 1] for at in chosen]


def in_words(storm: dict[str, Any]) -> str:
    """One entry as a sentence."""
    spread = ", ".join(
        f"{word} after {storm[name]:.2f} s"
        for word, name in (("half", "half_s"), ("95 %", "p95_s"), ("all", "all_s"))
        if storm[name] is not None
    )
    return f"at {storm['at_s']:g} s {storm['dropped']} dropped ({storm['fault']}): {storm['back']} back" + (
        f", {spread}" if spread else ""
    )
