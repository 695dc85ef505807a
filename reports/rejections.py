"""Rejections: what should have been refused and was, was not, or was refused wrongly.

It must not know why a payload was malformed, only that it was. Rules:
    malformed  every probe must be rejected with a code the contract names (any, where it names none), or by a close of
               the endpoint's that says why
    garbled    no frame that is not the protocol's may reach a client who did not send such a one
    throttle   a burst may have accepted at most what a token bucket of the promised size lets through between the
               first sending and the last answer, one more for rounding, less what else was accepted meanwhile
    silently   a burst may end its connection only by a close frame that says why (1008, 1013)
    wrongly    an ordinary message that was throttled although even a bucket of half the promised size and four fifths
               of its rate would have let it through, whenever before its answer each earlier request was counted; or
               one rejected by any other code
"""

from typing import Any

import numpy as np

from harness.record.row import Closer, Damage, Flag, Kind, Outcome

from .rows import Array, Rows, find, message_keys

ANSWERED = (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING, Kind.FETCH)
CLOSES_FOR_CAUSE = (1002, 1003, 1007, 1008, 1009)
CLOSES_FOR_EXCESS = (1008, 1013)
LENIENT_BURST, LENIENT_RATE = 0.5, 0.8


def rejections(rows: Rows) -> dict[str, Any]:
    """Malformed payloads, throttling, and what was refused wrongly."""
    return {
        "malformed": malformed(rows),
        "throttle": throttle(rows),
        "wrongly_rejected": wrongly_rejected(rows),
        "unanswered": unanswered(rows),
        "garbled": garbled(rows),
    }


def malformed(rows: Rows) -> dict[str, Any] | None:
    """How the malformed payloads fared, in all and by damage; None when none was sent."""
    probes = rows.of(Kind.PROBE)
    probes = probes[probes["sent"] > 0]
    if not len(probes):
        return None
    delivered = rows.of(Kind.DELIVERY)
    reached = np.unique(message_keys(delivered["peer"], delivered["seq"]))
    _, fanned_out = find(reached, message_keys(probes["session"], probes["seq"]))
    judged = _judged(probes, fanned_out, rows.contract)
    by_damage = {
        Damage(kind).label: {name: int(np.count_nonzero(found & (probes["peer"] == kind)))
                             for name, found in judged.items()}
        for kind in np.unique(probes["peer"])
    }  # fmt: skip
    return {**{name: int(np.count_nonzero(found)) for name, found in judged.items()}, "by_damage": by_damage}


def _judged(probes: Array, fanned_out: Array, contract: dict[str, Any]) -> dict[str, Array]:
    outcome, code = probes["outcome"], probes["code"]
    accepted = (outcome == Outcome.OK) | fanned_out
    refused = (outcome == Outcome.REJECTED) & ~fanned_out
    closed = (outcome == Outcome.CLOSED) & (probes["arrived"] > 0) & ~fanned_out
    throttled = refused & np.isin(code, contract["throttle_codes"])
    promised = contract["malformed_codes"]
    right = np.isin(code, promised) if promised is not None else ~throttled
    expected = refused & right | closed & np.isin(code, CLOSES_FOR_CAUSE)
    return {
        "sent": np.ones(len(probes), bool),
        "rejected_as_expected": expected,
        "accepted": accepted,
        "wrong_code": (refused | closed) & ~expected & ~throttled,
        "throttled": throttled & ~expected,
        "unanswered": (outcome == Outcome.EXPIRED) & ~fanned_out,
        "too_early_to_tell": (outcome == Outcome.CLOSED) & (probes["arrived"] == 0) & ~fanned_out,
    }


def throttle(rows: Rows) -> dict[str, Any] | None:
    """How the bursts fared; None when there was none. `over_limit` is absent without a promise."""
    faults = rows.of(Kind.FAULT, Outcome.OK)
    bursts = faults[faults["code"] == rows.fault_kinds.number("burst")]
    if not len(bursts):
        return None
    published = rows.of(Kind.PUBLISH)
    published = published[published["sent"] > 0]
    loud = published[published["flags"] & Flag.BURST > 0]
    codes = rows.contract["throttle_codes"]
    rejected = loud["outcome"] == Outcome.REJECTED
    promised = rows.contract["throttle_per_s"] is not None
    exceeded, over = 0, 0
    if promised:
        for row in bursts[_is_promised(rows)[bursts["session"]]]:
            sent, beyond = _beyond(row, loud, published, rows.contract)
            exceeded += sent
            over += beyond
    return {
        "bursts": len(bursts),
        "sent": len(loud),
        "accepted": int(np.count_nonzero(loud["outcome"] == Outcome.OK)),
        "throttled": int(np.count_nonzero(rejected & np.isin(loud["code"], codes))),
        "rejected_otherwise": int(np.count_nonzero(rejected & ~np.isin(loud["code"], codes))),
        "closed": int(np.count_nonzero(loud["outcome"] == Outcome.CLOSED)),
        "unanswered": int(np.count_nonzero(loud["outcome"] == Outcome.EXPIRED)),
        "cut_silently": _cut_silently(rows, bursts, loud),
        "bursts_over_the_limit": exceeded if promised else None,
        "accepted_over_limit": over if promised else None,
    }


def _cut_silently(rows: Rows, bursts: Array, loud: Array) -> int:
    """How many connections ended after a burst on them with neither an error nor a close frame that gives a cause."""
    faults = rows.of(Kind.FAULT, Outcome.OK)
    drops = faults[np.isin(faults["code"], rows.fault_kinds.drops)]
    dropped = set(zip(drops["session"].tolist(), drops["conn"].tolist(), strict=True))
    told = loud[(loud["outcome"] == Outcome.REJECTED) & np.isin(loud["code"], rows.contract["throttle_codes"])]
    answered = set(zip(told["session"].tolist(), told["conn"].tolist(), strict=True))
    struck = set(zip(bursts["session"].tolist(), bursts["conn"].tolist(), strict=True)) - dropped - answered
    ends = rows.of(Kind.CLOSE)
    for_cause = (ends["peer"] == Closer.ENDPOINT) & np.isin(ends["code"], CLOSES_FOR_EXCESS)
    silent = ends[~np.isin(ends["peer"], (Closer.US, Closer.GARBLED)) & ~for_cause]
    return len(struck & set(zip(silent["session"].tolist(), silent["conn"].tolist(), strict=True)))


def _is_promised(rows: Rows) -> Array:
    """For each session number: whether a throttle is promised for what it sends."""
    return ~rows.posted | bool(rows.contract.get("throttle_posts"))


def _beyond(burst: Any, loud: Array, published: Array, contract: dict[str, Any]) -> tuple[int, int]:
    """Whether a burst had more to send than is allowed, and how many too many were accepted."""
    own = loud[(loud["session"] == burst["session"]) & (loud["due"] == burst["due"])]
    if not len(own):
        return 0, 0
    first = int(own["sent"].min())
    last = max(int(own["arrived"].max()), int(own["sent"].max()))
    window = published[
        (published["session"] == burst["session"]) & (published["sent"] >= first) & (published["sent"] <= last)
    ]
    allowed = contract["throttle_burst"] + contract["throttle_per_s"] * (last - first) / 1e9 + 1
    accepted = int(np.count_nonzero(window["outcome"] == Outcome.OK))
    return int(len(own) > allowed), max(0, int(accepted - allowed))


def wrongly_rejected(rows: Rows) -> dict[str, Any]:
    """Valid messages and joins that were refused, by code; throttled ones only where no bucket could be empty."""
    published = rows.of(Kind.PUBLISH)
    refused = published[published["outcome"] == Outcome.REJECTED]
    throttled = np.isin(refused["code"], rows.contract["throttle_codes"])
    by_code: dict[str, int] = {}
    joins = rows.of(Kind.JOIN, Outcome.REJECTED)
    for code in (
        *refused["code"][~throttled],
        *joins["code"][~np.isin(joins["code"], rows.contract["throttle_codes"])],
    ):
        by_code[str(code)] = by_code.get(str(code), 0) + 1
    unjudged = 0
    if rows.contract["throttle_per_s"] is None:
        unjudged = int(np.count_nonzero(throttled))
    else:
        judged = throttled & _is_promised(rows)[refused["session"]]
        unjudged = int(np.count_nonzero(throttled & ~judged))
        for session in np.unique(refused["session"][judged]):
            for code in _needlessly(rows, int(session)):
                by_code[str(code)] = by_code.get(str(code), 0) + 1
    return {"count": sum(by_code.values()), "by_code": by_code, "throttled_unjudged": unjudged}


def _needlessly(rows: Rows, session: int) -> list[int]:
    """The codes of this session's throttled messages for which even a lenient bucket had a token.

    When the endpoint took a request's token lies between its sending and its answer: a message is held against the
    least that the bucket can have had, every earlier token taken as late as its answer allows.
    """
    mine = rows.table[(rows.table["session"] == session) & (rows.table["sent"] > 0)]
    asked = mine[np.isin(mine["kind"], (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PROBE, Kind.PING))]
    asked = asked[np.argsort(asked["sent"], kind="stable")]
    size = max(1.0, rows.contract["throttle_burst"] * LENIENT_BURST)
    rate = rows.contract["throttle_per_s"] * LENIENT_RATE / 1e9
    codes = rows.contract["throttle_codes"]
    tokens, before, conn, found = size, 0, -1, []
    for row in asked:
        sent, taken = int(row["sent"]), max(int(row["sent"]), int(row["arrived"]))
        if int(row["conn"]) != conn:
            tokens, before, conn = size, sent, int(row["conn"])
        had = min(size, tokens + max(0, sent - before) * rate)
        tokens = max(0.0, min(size, tokens + max(0, taken - before) * rate) - 1)
        before = max(before, taken)
        throttled = row["kind"] == Kind.PUBLISH and row["outcome"] == Outcome.REJECTED and int(row["code"]) in codes
        if throttled and had >= 1:
            found.append(int(row["code"]))
    return found


def garbled(rows: Rows) -> int:
    """Frames that are not the protocol's, at clients who had sent nothing malformed on that connection themselves.

    An endpoint that hands a malformed payload on shows here; what its own sender gets may be an answer to it.
    """
    strays = rows.of(Kind.STRAY, Outcome.GARBLED)
    probes = rows.of(Kind.PROBE)
    guilty = set(zip(probes["session"].tolist(), probes["conn"].tolist(), strict=True))
    at = zip(strays["session"].tolist(), strays["conn"].tolist(), strict=True)
    return sum(1 for where in at if where not in guilty)


def unanswered(rows: Rows) -> int:
    """Valid requests that nobody answered in time; a poller's leave is a poll, which has a row of its own."""
    expired = rows.table[(rows.table["outcome"] == Outcome.EXPIRED) & np.isin(rows.table["kind"], ANSWERED)]
    twice = (expired["kind"] == Kind.LEAVE) & rows.polled[expired["session"]]
    return int(np.count_nonzero(~twice))
