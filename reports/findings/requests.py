"""Findings about requests that were planned and not sent, refused without a promise, or answered with rubbish."""

import numpy as np

from harness.record.row import Closer, Kind, Outcome
from harness.units import SECOND

from .. import words
from ..buckets import is_promised, is_throttled
from ..occasion import occasion, when
from ..registry import NotJudged, Verdict, finding, found, named
from ..rows import Array, Rows, connection_keys, find, ran_out
from ..sections.requests import Requests, ordinary
from ..ways import ASKED, by_way


@finding(
    "login-failed",
    section="requests",
    meaning="a login did not give a token: refused, unanswered, garbled or cut off",
    sentence="{count} of {sent} logins did not give a token",
)
def login_failed(rows: Rows) -> Verdict:
    """Unless we gave it up, or this machine ran out of something."""
    made = rows.of(Kind.LOGIN)
    made = made[(made["outcome"] != Outcome.ABANDONED) & ~ran_out(made)]
    failed = made[made["outcome"] != Outcome.OK]
    first_s = rows.since_start_s(failed["due"].min()) if len(failed) else None
    return found(len(failed), len(made), "logins", first_s=first_s, sent=len(made))


@finding(
    "garbled-answer",
    section="requests",
    meaning="a request was answered with something that is not of the protocol",
    sentence="{count} requests were answered with something that is not of the protocol: {which}",
)
def garbled_answer(rows: Rows, requests: dict[str, dict[str, Requests]]) -> Verdict:
    """By action and way."""
    answered = sum(one.answered for kind in ASKED for one in requests.get(kind.name.lower(), {}).values())
    asked = np.concatenate([ordinary(rows, kind) for kind in ASKED])
    garbled = asked[asked["outcome"] == Outcome.GARBLED]
    which = _which(rows, garbled)
    return found(len(garbled), answered, "answers", which=which, **when(occasion(rows, garbled)))


@finding(
    "throttled-unpromised",
    section="requests",
    meaning="an ordinary request was refused with one of `throttle_codes`, and no throttle is promised for it",
    sentence="{count} of {answered} answered requests were throttled, and no throttle is promised for them: {which}",
)
def throttled_unpromised(rows: Rows) -> Verdict:
    """A burst explains what is refused in its session afterwards; a promise is judged by `throttle-too-strict`."""
    shouting = np.unique(rows.bursts["session"])
    promised = is_promised(rows)
    throttled, answered = [], 0
    for kind in ASKED:
        asked = ordinary(rows, kind)
        asked = asked[(asked["arrived"] > 0) & ~promised[asked["session"]] & ~np.isin(asked["session"], shouting)]
        answered += len(asked)
        throttled.append(asked[is_throttled(rows, asked)])
    every = np.concatenate(throttled)
    if promised.all():
        return NotJudged(words.THROTTLE_PROMISED)
    return found(
        len(every),
        answered,
        "answers where no throttle is promised",
        first_s=rows.since_start_s(every["sent"].min()) if len(every) else None,
        whom=named("session", every["session"]) if len(every) else "",
        answered=answered,
        which=_which(rows, every),
    )


@finding(
    "not-sent",
    section="requests",
    meaning="a planned message was never sent because its session was not ready, and no other finding explains why",
    sentence="{count} of {planned} planned messages were never sent because their sessions were not ready",
    rests_on="absence",
)
def not_sent(rows: Rows) -> Verdict:
    """What a fault, the end of a connection, or a failed opening, login or join explains is left out."""
    planned = ordinary(rows, Kind.PUBLISH)
    planned = planned[~_explained(rows)[planned["session"]] & ~_after_our_close(rows, planned)]
    abandoned = planned[(planned["outcome"] == Outcome.ABANDONED) & (planned["sent"] == 0)]
    seen = when(occasion(rows, abandoned))
    return found(len(abandoned), len(planned), "planned messages", planned=len(planned), **seen)


def _after_our_close(rows: Rows, planned: Array) -> Array:
    """Which of these fell due when we were about to end their connection, or had ended it."""
    ended = rows.of(Kind.CLOSE)
    ended = ended[ended["peer"] == Closer.US]
    if not len(ended):
        return np.zeros(len(planned), bool)
    keys = connection_keys(ended)
    order = np.argsort(keys)
    at, found = find(keys[order], connection_keys(planned))
    began = np.where(ended["sent"] > 0, ended["sent"], ended["arrived"])[order][at]
    after: Array = found & (planned["outcome"] == Outcome.ABANDONED) & (planned["due"] >= began - SECOND)
    return after


def _explained(rows: Rows) -> Array:
    """For each session number: whether something else tells why it was not ready."""
    explained = rows.affected.copy()
    for kind in (Kind.LOGIN, Kind.OPEN, Kind.JOIN):
        tried = rows.of(kind)
        explained[tried["session"][tried["outcome"] != Outcome.OK]] = True
    ended = rows.of(Kind.CLOSE)
    explained[ended["session"][ended["peer"] != Closer.US]] = True
    explained[np.setdiff1d(np.arange(len(explained)), rows.of(Kind.OPEN)["session"])] = True  # never got to it
    return explained


def _which(rows: Rows, found: Array) -> str:
    """How many of each action and way.

    Example: `12 publish (rest), 3 join (ws)`.
    """
    return ", ".join(f"{count} {name}" for name, count in by_way(rows, ASKED, found).items())
