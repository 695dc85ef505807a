"""Findings about connections."""

import numpy as np

from harness.record.row import OUR_ERRNOS, Closer, Kind, Outcome

from ..occasion import when
from ..registry import Verdict, finding, found, named
from ..rows import Rows, ran_out
from ..sections.closes import Closes
from ..sections.rejections import Rejections

OUR_CLOSES = {f"{Closer.RESET.name.lower()} {code}" for code in OUR_ERRNOS}


@finding(
    "unexpected-close",
    section="closes",
    meaning="a connection was closed unexpectedly (a burst or a malformed payload explains a close for 5 s)",
    sentence="{count} connections were closed unexpectedly{before}: {causes}",
)
def unexpected_close(rows: Rows, closes: Closes, rejections: Rejections) -> Verdict:
    """Ended neither by us, nor by a fault, nor as the contract allows."""
    causes = {cause: count for cause, count in closes.unexpected.items() if cause not in OUR_CLOSES}
    cut_off = rejections.without_answer.cut_off
    opened = len(rows.of(Kind.OPEN, Outcome.OK))
    return found(
        sum(causes.values()),
        opened,
        "connections",
        causes=", ".join(f"{count} by {cause}" for cause, count in causes.items()),
        before=f" before {cut_off} requests were answered" if cut_off else "",
        **when(closes.unexpected_at),
    )


@finding(
    "open-failed",
    section="outcomes",
    meaning="an attempt to connect failed, and not because this machine ran out of something",
    sentence="{count} attempts to connect failed",
)
def open_failed(rows: Rows) -> Verdict:
    """Refused, closed, garbled or expired before the upgrade."""
    opened = rows.of(Kind.OPEN)
    ours = ran_out(opened)
    failed = opened[~np.isin(opened["outcome"], (Outcome.OK, Outcome.ABANDONED)) & ~ours]
    tried = len(opened) - int(np.count_nonzero((opened["outcome"] == Outcome.ABANDONED) | ours))
    return found(
        len(failed),
        tried,
        "attempts to connect",
        first_s=rows.since_start_s(failed["due"].min()) if len(failed) else None,
        whom=named("session", failed["session"]) if len(failed) else "",
    )
