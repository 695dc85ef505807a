"""The finding about sessions that never got into a room."""

import numpy as np

from harness.record.row import Kind, Outcome

from .. import words
from ..registry import NotJudged, Verdict, finding, found, named
from ..rows import Rows, message_keys


@finding(
    "refused-joins",
    section="outcomes",
    meaning="a session never entered a room because every join of it was refused",
    sentence="{count} sessions never entered a room because their joins were refused",
)
def refused_joins(rows: Rows) -> Verdict:
    """Refused at least once, whatever the code, and never accepted on any connection.

    A refused join is also among `wrongly-rejected`, unless it was throttled. That finding counts requests; this one
    counts the sessions that were kept out for good.
    """
    joins = rows.of(Kind.JOIN)
    if not len(joins):
        return NotJudged(words.NO_JOIN)
    refused, accepted = rows.of(Kind.JOIN, Outcome.REJECTED), rows.of(Kind.JOIN, Outcome.OK)
    entered = np.isin(
        message_keys(refused["session"], refused["room"]), message_keys(accepted["session"], accepted["room"])
    )
    for_good = refused[~entered]
    return found(
        len(np.unique(for_good["session"])),
        len(np.unique(joins["session"])),
        "sessions which joined a room",
        first_s=rows.since_start_s(for_good["arrived"].min()) if len(for_good) else None,
        whom=named("room", for_good["room"]) if len(for_good) else "",
    )
