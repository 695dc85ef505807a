"""The finding about the endpoint's memory."""

from .. import words
from ..registry import NotJudged, Verdict, finding, found
from ..rows import Rows
from ..sections.growth import Growth


@finding(
    "memory-grows",
    section="growth",
    meaning="the endpoint's memory grows faster than promised; the count is the lower bound in MiB per hour",
    sentence="the endpoint's memory grows by at least {count} MiB per hour",
)
def memory_grows(rows: Rows, growth: list[Growth]) -> Verdict:
    """The lower end of the slope's interval counts."""
    promised = rows.contract.grows_mib_per_h
    memory = [entry for entry in growth if entry.whose == "endpoint" and entry.what == "resident_mib"]
    if promised is None:
        return NotJudged(words.NO_GROWTH_PROMISE)
    if not memory:
        return NotJudged(words.NO_MEMORY)
    certain = memory[0].low_per_h
    return found(max(1, int(certain))) if memory[0].verdict == "grows" and certain > promised else None
