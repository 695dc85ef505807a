"""Recovery: how long sessions that lost their connection were away, and which never came back.

Time is counted from the drop or close until the session was a member again of every room that it had been in, over as
many tries as it took. A session that had not come back when the load ended has neither recovered nor given up.
"""

import msgspec
import numpy as np

from harness.record.row import Closer, Kind, Outcome

from ..percentile import Percentiles, percentiles
from ..registry import section
from ..rows import Array, Rows


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a set of lost connections."""

    lost: int
    """open connections that ended before the load did"""
    recovered: int
    """sessions that were in all of their rooms again"""
    gave_up: int
    """sessions that stopped trying: a terminal code, or `reconnect.max_attempts` used up"""
    still_away: int
    """sessions whose time, or the load, ended first"""
    time: Percentiles
    """time from the drop or close to the return"""


class Recovery(Return, frozen=True, kw_only=True):
    """What became of every open connection that was lost before the end of the load."""

    by_cause: dict[str, Return]
    """the same by who ended the connection: `us` (a fault), `endpoint`, `fin`, `reset`, `garbled`, `silent`"""
    gave_up_by: dict[str, int]
    """sessions that gave up, by `code 1008` and the like or `tries used up`"""
    tries_max: int
    """the most tries that one return took"""


@section("recovery")
def recovery(rows: Rows) -> Recovery | None:
    """What became of every open connection that was lost before the end of the load; None when none was."""
    lost = rows.of(Kind.RECOVERY)
    if not len(lost):
        return None
    causes = sorted({int(peer) for peer in lost["peer"]})
    return Recovery(
        by_cause={Closer(cause).name.lower(): _return(lost[lost["peer"] == cause]) for cause in causes},
        gave_up_by=_gave_up_by(lost),
        tries_max=int(lost["seq"].max()),
        **msgspec.structs.asdict(_return(lost)),
    )


def _return(lost: Array) -> Return:
    back = lost[lost["outcome"] == Outcome.OK]
    return Return(
        lost=len(lost),
        recovered=len(back),
        gave_up=int(np.count_nonzero(np.isin(lost["outcome"], (Outcome.REJECTED, Outcome.EXPIRED)))),
        still_away=int(np.count_nonzero(lost["outcome"] == Outcome.ABANDONED)),
        time=percentiles(back["arrived"] - back["sent"]),
    )


def _gave_up_by(lost: Array) -> dict[str, int]:
    """How many gave up because of which code, or because their tries were used up."""
    counted: dict[str, int] = {}
    for row in lost[np.isin(lost["outcome"], (Outcome.REJECTED, Outcome.EXPIRED))]:
        reason = "tries used up" if row["outcome"] == Outcome.EXPIRED else f"code {int(row['code'])}"
        counted[reason] = counted.get(reason, 0) + 1
    return counted
