"""Recovery: how long those who lost their connection were away, and who never came back.

It must not know why connections were lost; that is for findings. The subtle thing: time is counted from the drop or
close to the moment at which the session was a member again of every room that it had been in, over as many tries as
it took; who had not come back when the load ended is neither recovered nor given up.
"""

from typing import Any

import numpy as np

from harness.record.row import Closer, Kind, Outcome

from .figures import percentiles
from .rows import Array, Rows


def recovery(rows: Rows) -> dict[str, Any] | None:
    """What became of every open connection that was lost before the load's end; None when none was."""
    lost = rows.of(Kind.RECOVERY)
    if not len(lost):
        return None
    causes = sorted({int(peer) for peer in lost["peer"]})
    return {
        **_of(lost),
        "by_cause": {Closer(cause).name.lower(): _of(lost[lost["peer"] == cause]) for cause in causes},
        "gave_up_by": _gave_up_by(lost),
        "tries_max": int(lost["seq"].max()),
    }


def _of(lost: Array) -> dict[str, Any]:
    back = lost[lost["outcome"] == Outcome.OK]
    return {
        "lost": len(lost),
        "recovered": len(back),
        "gave_up": int(np.count_nonzero(np.isin(lost["outcome"], (Outcome.REJECTED, Outcome.EXPIRED)))),
        "still_away": int(np.count_nonzero(lost["outcome"] == Outcome.ABANDONED)),
        "time": percentiles(back["arrived"] - back["sent"]),
    }


def _gave_up_by(lost: Array) -> dict[str, int]:
    """How many gave up because of which code, or because their tries were used up."""
    found: dict[str, int] = {}
    for row in lost[np.isin(lost["outcome"], (Outcome.REJECTED, Outcome.EXPIRED))]:
        reason = "tries used up" if row["outcome"] == Outcome.EXPIRED else f"code {int(row['code'])}"
        found[reason] = found.get(reason, 0) + 1
    return found


def recovered_in_words(found: dict[str, Any], missed: int) -> str:
    """One sentence, for people."""
    time = found["time"]
    spread = ", ".join(f"{name} {time[name] / 1000:.2f} s" for name in ("p50", "p95", "max") if time[name] is not None)
    parts = [f"{found['recovered']} joined again" + (f" ({spread})" if spread else "")]
    if found["gave_up"]:
        why = ", ".join(f"{count} by {reason}" for reason, count in found["gave_up_by"].items())
        parts.append(f"{found['gave_up']} gave up ({why})")
    if found["still_away"]:
        parts.append(f"{found['still_away']} still away when the load or their stay ended")
    return f"{found['lost']} connections lost: {', '.join(parts)}; {missed} messages missed meanwhile"
