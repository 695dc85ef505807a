"""Findings about the endpoint's list of connections."""

from .. import words
from ..occasion import when
from ..registry import NotJudged, Verdict, finding, found
from ..sections.stale import Stale


@finding(
    "stale",
    section="stale",
    meaning="a dead connection was listed for longer than promised",
    sentence="{count} dead connections were still listed {promise_s:g} s after they had died",
)
def stale_connections(stale: Stale | None) -> Verdict:
    """Overdue or late."""
    if stale is None:
        return NotJudged(words.NO_LIST)
    if stale.names_none_of_ours:
        return _lists_others(stale, expected=stale.promise_s is not None and stale.dropped > 0)
    if stale.promise_s is None:
        return NotJudged(words.NO_STALE_PROMISE)
    if not stale.listed:
        return NotJudged(words.NONE_LISTED.format(count=stale.others_last), expected=stale.dropped > 0)
    if stale.dropped and not _decided(stale):
        return NotJudged(words.TOO_EARLY)
    broken = stale.overdue + stale.late
    return found(broken, _decided(stale), "dropped connections", promise_s=stale.promise_s, **when(stale.broken_at))


@finding(
    "forgotten",
    section="stale",
    meaning="a live connection vanished from the list",
    sentence="{count} live connections vanished from the endpoint's list",
)
def forgotten(stale: Stale | None) -> Verdict:
    """Alive, and not listed any more."""
    if stale is None:
        return NotJudged(words.NO_LIST)
    if stale.names_none_of_ours:
        return _lists_others(stale, expected=False)
    if not stale.listed:
        return NotJudged(words.NONE_LISTED.format(count=stale.others_last))
    return found(stale.forgotten, stale.listed, "listed connections", **when(stale.forgotten_at))


def _lists_others(stale: Stale, expected: bool) -> NotJudged:
    """The list is not of our connections: nothing can be missing from it."""
    why = words.LIST_OF_OTHERS.format(names=", ".join(stale.instead)) if stale.instead else words.LIST_WITHOUT_OURS
    return NotJudged(why, expected=expected)


def _decided(stale: Stale) -> int:
    """How many dropped connections were in the list, and long enough watched to tell."""
    return stale.detected + stale.overdue + stale.undetected
