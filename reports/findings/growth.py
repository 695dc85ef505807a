"""The finding about the endpoint's memory."""

from .. import words
from ..registry import NotJudged, Verdict, finding, found
from ..rows import Rows
from ..sections.growth import Growth
from ..sections.turnover import Turnover


@finding(
    "memory-grows",
    section="growth",
    meaning="the endpoint's memory grows faster than promised; the count is the lower bound in MiB per hour",
    sentence="the endpoint's memory grows by at least {count} MiB per hour",
)
def memory_grows(rows: Rows, growth: list[Growth], turnover: Turnover | None) -> Verdict:
    """The lower end of the slope's interval counts."""
    promised = rows.contract.grows_mib_per_h
    memory = [entry for entry in growth if entry.whose == "endpoint" and entry.what == "resident_mib"]
    if promised is None:
        return NotJudged(words.NO_GROWTH_PROMISE)
    if not memory:
        return NotJudged(_too_short(turnover))
    certain = memory[0].low_per_h
    grows = memory[0].verdict == "grows" and certain > promised
    return found(
        max(1, int(certain)) if grows else 0, memory[0].samples, "samples of its memory", whom="the endpoint's process"
    )


def _too_short(turnover: Turnover | None) -> str:
    """Why memory is not judged, and what grew with each connection."""
    if turnover is None:
        return words.NO_MEMORY
    return words.NO_MEMORY + words.PER_CONNECTION.format(
        ended=turnover.ended, kib=turnover.kib_per_connection, low=turnover.low_kib, high=turnover.high_kib
    )
