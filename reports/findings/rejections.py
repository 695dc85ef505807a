"""Findings about what was accepted, refused, or not answered."""

from .. import words
from ..registry import NotJudged, Verdict, finding, found
from ..sections.rejections import Rejections


@finding(
    "throttle-not-enforced",
    section="rejections",
    meaning="a burst got more messages accepted than promised",
    sentence="{count} of {sent} messages in bursts were accepted beyond the promised limit",
)
def throttle_not_enforced(rejections: Rejections) -> Verdict:
    """Only bursts larger than a promised limit can show it."""
    throttle = rejections.throttle
    if throttle is None:
        return NotJudged(words.NO_BURST)
    if not throttle.bursts_over_the_limit or throttle.accepted_over_limit is None:
        return NotJudged(words.NO_LARGE_BURST)
    return found(throttle.accepted_over_limit, sent=throttle.sent)


@finding(
    "throttled-silently",
    section="rejections",
    meaning="a connection was cut after a burst, with neither an error nor a close frame that says why",
    sentence="{count} connections were cut after a burst without an explanation",
)
def throttled_silently(rejections: Rejections) -> Verdict:
    """An answer to a burst must say what it is."""
    throttle = rejections.throttle
    return NotJudged(words.NO_BURST) if throttle is None else found(throttle.cut_silently)


@finding(
    "malformed-accepted",
    section="rejections",
    meaning="a malformed payload was accepted or delivered",
    sentence="{count} of {sent} malformed payloads were accepted",
)
def malformed_accepted(rejections: Rejections) -> Verdict:
    """Every malformed payload must be refused."""
    malformed = rejections.malformed
    return NotJudged(words.NO_MALFORMED) if malformed is None else found(malformed.accepted, sent=malformed.sent)


@finding(
    "wrongly-rejected",
    section="rejections",
    meaning="a valid request was refused",
    sentence="{count} valid requests were refused: {codes}",
)
def wrongly_rejected(rejections: Rejections) -> Verdict:
    """Requests that the contract allows."""
    by_code = rejections.wrongly_rejected.by_code
    codes = ", ".join(f"{count} with code {code}" for code, count in by_code.items())
    return found(rejections.wrongly_rejected.count, codes=codes)


@finding(
    "wrong-code",
    section="rejections",
    meaning="a malformed payload was refused with another code than promised, or by a close that does not say why",
    sentence="{count} malformed payloads were refused in another way than promised",
)
def wrong_code(rejections: Rejections) -> Verdict:
    """Refused, but not as promised."""
    malformed = rejections.malformed
    return NotJudged(words.NO_MALFORMED) if malformed is None else found(malformed.wrong_code)


@finding(
    "garbled",
    section="rejections",
    meaning="a malformed frame reached a client that had sent none",
    sentence="{count} malformed frames were delivered to clients that had not sent any",
)
def garbled(rejections: Rejections) -> Verdict:
    """A malformed payload was handed on."""
    return found(rejections.garbled)


@finding(
    "unanswered",
    section="rejections",
    meaning="a request was never answered",
    sentence="{count} requests were never answered",
)
def unanswered(rejections: Rejections) -> Verdict:
    """Valid requests and malformed payloads."""
    malformed = rejections.malformed
    return found(rejections.unanswered + (malformed.unanswered if malformed is not None else 0))
