"""Findings about what deliveries contain."""

from .. import words
from ..registry import NotJudged, Verdict, finding, found
from ..sections.contents import Contents


@finding(
    "altered",
    section="contents",
    meaning="a delivery's text is not the text that was sent",
    sentence="{count} of {compared} deliveries had another text than was sent",
)
def altered(contents: Contents) -> Verdict:
    """Cut short, with other letters, another message's, or none."""
    texts = contents.texts
    if not texts.compared:
        return NotJudged(words.OWN_TEXTS if texts.own else words.NO_TEXTS)
    if texts.altered is None:
        return NotJudged(words.NO_TEXT_AT.format(path=texts.at) if texts.at else words.NO_TEXT_FOUND)
    return found(texts.altered, texts.compared, "texts", first_s=texts.first_s, compared=texts.compared)


@finding(
    "impersonated",
    section="contents",
    meaning="a delivery names another sender than its message's",
    sentence="{count} of {compared} deliveries named another sender than their message's",
)
def impersonated(contents: Contents) -> Verdict:
    """Somebody else's name on a message."""
    names = contents.names
    if not names.compared:
        return NotJudged(words.UNCLEAR_NAMES if names.unclear else words.NO_NAMES)
    if names.wrong is None:
        return NotJudged(words.NAMES_OF_RECEIVERS.format(count=names.receivers))
    example = names.example
    whom = "" if example is None else words.IMPERSONATED.format(example=example)
    return found(
        names.wrong, names.compared, "senders' names", first_s=names.first_s, whom=whom, compared=names.compared
    )
