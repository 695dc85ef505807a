"""Findings about errors that do not say what they answer."""

import numpy as np

from harness.record.row import Flag, Kind, Outcome

from .. import words
from ..registry import NotJudged, Verdict, finding, found
from ..rows import Rows
from ..sections.strays import Strays

REFUSED = (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING)
IN_ORDER = "fifo"


@finding(
    "error-without-id",
    section="strays",
    meaning="an error did not say which request it answers, although the protocol gives errors an id",
    sentence="{count} errors did not say which request they answer",
)
def error_without_id(rows: Rows, strays: Strays) -> Verdict:
    """Only an error that must name its request can show it."""
    if rows.manifest.plan.endpoint.order == IN_ORDER:
        return NotJudged(words.IN_ORDER)
    refused = np.concatenate([rows.of(kind, Outcome.REJECTED) for kind in REFUSED])
    named = refused[(refused["flags"] & Flag.NAMELESS == 0) & ~rows.posted[refused["session"]]]
    return found(strays.errors_without_id, strays.errors_without_id + len(named), "errors that should name a request")
