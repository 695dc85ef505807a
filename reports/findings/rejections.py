"""Findings about what was accepted, refused, or not answered."""

import numpy as np

from harness.record.row import Kind, Outcome

from .. import words
from ..occasion import when
from ..probing import Malformed
from ..registry import NotJudged, Verdict, finding, found, named
from ..rows import Rows
from ..sections.rejections import Rejections
from ..sections.requests import Requests
from ..ways import ASKED

ACTIONS = tuple(kind.name.lower() for kind in ASKED)
DECIDED = (Outcome.OK, Outcome.REJECTED, Outcome.EXPIRED, Outcome.GARBLED)
"""Outcomes that say whether a request was answered."""


@finding(
    "throttle-not-enforced",
    section="rejections",
    meaning="more messages were accepted than the promised throttle allows, in bursts or in all",
    sentence="{count} messages were accepted beyond the promised limit: {accepted} in {took_s:.3g} s, where {rate:g} "
    "per second with bursts of {size} allows {allowed}",
)
def throttle_not_enforced(rejections: Rejections) -> Verdict:
    """Only load or bursts that exceed the promise can show it."""
    limit = rejections.limit
    if limit is None or limit.promised is None:
        return NotJudged(words.NO_THROTTLE_PROMISE)
    over = limit.most_over
    if over is None and not limit.exceeded:
        return _nothing_shown(rejections, words.NOT_EXCEEDED)
    return found(
        limit.accepted_over_limit or 0,
        limit.accepted + limit.throttled,
        "messages under a promised throttle",
        first_s=over.from_s if over else None,
        whom=_whom(over.session) if over else "",
        accepted=over.accepted if over else 0,
        allowed=over.allowed if over else 0,
        took_s=over.to_s - over.from_s if over else 0.0,
        rate=limit.promised.rate_per_s,
        size=limit.promised.size,
    )


@finding(
    "throttle-too-strict",
    section="rejections",
    meaning="a message was throttled although the promised throttle certainly allowed it",
    sentence="{count} messages were throttled although the promise allowed them: {rate:g} per second with bursts of "
    "{size} leaves at least {tokens:g} at that time",
    rests_on="absence",
)
def throttle_too_strict(rejections: Rejections) -> Verdict:
    """Only what was throttled can show it, or load that should have been."""
    limit = rejections.limit
    if limit is None or limit.promised is None:
        return NotJudged(words.NO_THROTTLE_PROMISE)
    if not limit.throttled and not limit.exceeded:
        return _nothing_shown(rejections, words.NEVER_THROTTLED)
    within = limit.most_within
    return found(
        limit.throttled_within_limit or 0,
        limit.accepted + limit.throttled,
        "messages under a promised throttle",
        first_s=within.at_s if within else None,
        whom=_whom(within.session) if within else "",
        tokens=within.tokens if within else 0.0,
        rate=limit.promised.rate_per_s,
        size=limit.promised.size,
    )


def _whom(session: int | None) -> str:
    """The session of a bucket, if it has one."""
    return "" if session is None else named("session", [session])


def _nothing_shown(rejections: Rejections, why: str) -> NotJudged:
    """The throttle cannot be judged; bursts that were planned and never sent should have shown it."""
    if count := rejections.unsent.burst_messages:
        return NotJudged(why + words.UNSENT.format(count=count), expected=True)
    return NotJudged(why)


@finding(
    "throttled-silently",
    section="rejections",
    meaning="a connection was cut after a burst, with neither an error nor a close frame that says why",
    sentence="{count} connections were cut after a burst without an explanation",
)
def throttled_silently(rejections: Rejections) -> Verdict:
    """An answer to a burst must say what it is."""
    throttle = rejections.throttle
    return NotJudged(words.NO_BURST) if throttle is None else found(throttle.cut_silently, throttle.bursts, "bursts")


@finding(
    "malformed-accepted",
    section="rejections",
    meaning="a malformed payload was accepted or delivered",
    sentence="{count} of {sent} malformed payloads were accepted",
)
def malformed_accepted(rejections: Rejections) -> Verdict:
    """Every malformed payload must be refused."""
    malformed = rejections.malformed
    if malformed is None:
        return NotJudged(words.NO_MALFORMED)
    return found(
        malformed.accepted,
        _answered(malformed),
        "malformed payloads",
        sent=malformed.sent,
        **when(malformed.accepted_at),
    )


@finding(
    "wrongly-rejected",
    section="rejections",
    meaning="a valid request was refused",
    sentence="{count} valid requests were refused: {codes}",
)
def wrongly_rejected(rejections: Rejections, requests: dict[str, dict[str, Requests]]) -> Verdict:
    """Requests that the contract allows."""
    by_code = rejections.wrongly_rejected.by_code
    codes = ", ".join(f"{count} with code {code}" for code, count in by_code.items())
    answered = sum(one.ok + one.refused for action in ACTIONS for one in requests.get(action, {}).values())
    return found(rejections.wrongly_rejected.count, answered, "answered requests", codes=codes)


@finding(
    "wrong-code",
    section="rejections",
    meaning="a malformed payload was refused with another code than promised, or by a close that does not say why",
    sentence="{count} malformed payloads were refused in another way than promised",
)
def wrong_code(rejections: Rejections) -> Verdict:
    """Refused, but not as promised."""
    malformed = rejections.malformed
    if malformed is None:
        return NotJudged(words.NO_MALFORMED)
    refused = malformed.rejected_as_expected + malformed.wrong_code
    return found(malformed.wrong_code, refused, "refused malformed payloads", **when(malformed.wrong_code_at))


@finding(
    "garbled",
    section="rejections",
    meaning="a malformed frame reached a client that had sent none",
    sentence="{count} malformed frames were delivered to clients that had not sent any",
)
def garbled(rejections: Rejections, rows: Rows) -> Verdict:
    """A malformed payload was handed on."""
    frames = len(rows.of(Kind.DELIVERY)) + len(rows.of(Kind.STRAY))
    frames += sum(int(np.count_nonzero(rows.of(kind)["arrived"])) for kind in (*ASKED, Kind.PROBE))
    return found(rejections.garbled, frames, "frames", **when(rejections.garbled_at))


@finding(
    "unanswered",
    section="rejections",
    meaning="a request was never answered (one whose connection was closed instead is in `rejections.without_answer`)",
    sentence="{count} of {judged} requests{where} were never answered{which}",
    rests_on="absence",
)
def unanswered(rejections: Rejections, rows: Rows, requests: dict[str, dict[str, Requests]]) -> Verdict:
    """Valid requests, bursts among them, and malformed payloads."""
    malformed, silent = rejections.malformed, rejections.without_answer
    if rejections.unrecognised and not rejections.unanswered:
        return NotJudged(words.UNRECOGNISED_ANSWERS.format(count=rejections.unrecognised), expected=True)
    judged = sum(one.judged for action in ACTIONS for one in requests.get(action, {}).values())
    judged += int(np.count_nonzero(np.isin(rows.bursts["outcome"], DECIDED)))
    judged += _answered(malformed) + malformed.unanswered if malformed is not None else 0
    kinds = ", ".join(f"{count} {request}" for request, count in silent.by_request.items())
    return found(
        silent.count + (malformed.unanswered if malformed is not None else 0),
        judged,
        "requests",
        judged=judged,
        where=f" (on {silent.connections} connections)" if kinds else "",
        which=f": {kinds}" if kinds else "",
        **when(rejections.unanswered_at),
    )


def _answered(malformed: Malformed) -> int:
    """How many malformed payloads were answered in some way, or delivered."""
    return malformed.sent - malformed.unanswered - malformed.too_early_to_tell
