"""Findings: what is wrong with the endpoint, each under one name. A finding that could not be looked for is absent.

It must not compute: it only reads what the sections found. The subtle thing: each defect of an endpoint is to show
under its own name and no other, so what explains one finding is taken out of the next; and what failed because this
machine had no more (descriptors, ports, memory) is no defect of the endpoint's: fitness tells it.
"""

from typing import Any

import numpy as np

from harness.record.row import OUR_ERRNOS, Closer, Kind, Outcome

from .rows import Rows

SECTIONS = {
    "lost": "ledger",
    "duplicated": "ledger",
    "reordered": "ledger",
    "leaked": "ledger",
    "refused-but-delivered": "ledger",
    "unknown-delivery": "ledger",
    "stale": "stale",
    "forgotten": "stale",
    "throttle-not-enforced": "rejections",
    "throttled-silently": "rejections",
    "malformed-accepted": "rejections",
    "wrongly-rejected": "rejections",
    "wrong-code": "rejections",
    "garbled": "rejections",
    "unanswered": "rejections",
    "unexpected-close": "closes",
    "open-failed": "connections",
    "memory-grows": "growth",
}

OUR_CLOSES = {f"{Closer.RESET.name.lower()} {code}" for code in OUR_ERRNOS}


def find_all(
    rows: Rows,
    ledger: dict[str, Any],
    stale: dict[str, Any] | None,
    rejections: dict[str, Any],
    closes: dict[str, int],
    growth: list[dict[str, Any]],
) -> tuple[dict[str, int | None], list[dict[str, Any]]]:
    """The count of each finding by name (None: could not be judged), and those that were made, in words.

    `closes` are the unexpected ones, by cause.
    """
    deliveries = ledger["all"]
    malformed = rejections["malformed"]
    throttle = rejections["throttle"]
    opened = rows.of(Kind.OPEN)
    ours = (opened["outcome"] == Outcome.CLOSED) & np.isin(opened["code"], list(OUR_ERRNOS))
    failed = opened[~np.isin(opened["outcome"], (Outcome.OK, Outcome.ABANDONED)) & ~ours]
    closes = {cause: count for cause, count in closes.items() if cause not in OUR_CLOSES}
    counts: dict[str, int | None] = {
        "lost": deliveries["lost"],
        "duplicated": deliveries["duplicated"],
        "reordered": deliveries["reordered"],
        "leaked": deliveries["leaked"],
        "refused-but-delivered": deliveries["refused_but_delivered"],
        "unknown-delivery": ledger["unknown"],
        "stale": stale["overdue"] + stale["late"] if stale and stale["promise_s"] is not None else None,
        "forgotten": stale["forgotten"] if stale else None,
        "throttle-not-enforced": _throttle(throttle),
        "throttled-silently": throttle["cut_silently"] if throttle else None,
        "malformed-accepted": malformed["accepted"] if malformed else None,
        "wrongly-rejected": rejections["wrongly_rejected"]["count"],
        "wrong-code": malformed["wrong_code"] if malformed else None,
        "garbled": rejections["garbled"],
        "unanswered": rejections["unanswered"] + (malformed["unanswered"] if malformed else 0),
        "unexpected-close": sum(closes.values()),
        "open-failed": len(failed),
        "memory-grows": _memory(rows, growth),
    }
    words = _words(counts, ledger, stale, rejections, closes)
    made = [
        {"name": name, "count": count, "section": SECTIONS[name], "text": words[name]}
        for name, count in counts.items()
        if count
    ]
    return counts, made


def _memory(rows: Rows, growth: list[dict[str, Any]]) -> int | None:
    """By how many MiB an hour, for certain, the endpoint's memory grows, if that is more than promised."""
    promised = rows.contract.get("grows_mib_per_h")
    told = [found for found in growth if found["whose"] == "endpoint" and found["what"] == "resident_mib"]
    if promised is None or not told:
        return None
    certain = told[0]["low_per_h"]
    return max(1, int(certain)) if told[0]["verdict"] == "grows" and certain > promised else 0


def _throttle(throttle: dict[str, Any] | None) -> int | None:
    if throttle is None or not throttle["bursts_over_the_limit"]:
        return None
    over: int = throttle["accepted_over_limit"]
    return over


def _words(
    counts: dict[str, int | None], ledger: dict[str, Any], stale: dict[str, Any] | None, rejections: dict[str, Any],
    closes: dict[str, int],
) -> dict[str, str]:  # fmt: skip
    """One sentence each, for people."""
    owed = ledger["all"]["owed"]
    lost = counts["lost"] or 0
    malformed = rejections["malformed"] or {}
    throttle = rejections["throttle"] or {}
    wrong = ", ".join(f"{count} with code {code}" for code, count in rejections["wrongly_rejected"]["by_code"].items())
    ended = ", ".join(f"{count} by {cause}" for cause, count in closes.items())
    within = f"{stale['promise_s']:g} s" if stale and stale["promise_s"] is not None else ""
    return {
        "lost": f"{lost} of {owed} deliveries owed never came ({lost / max(1, owed):.3%})",
        "duplicated": f"{counts['duplicated']} deliveries came more than once",
        "reordered": f"{counts['reordered']} deliveries came after a later message of the same sender",
        "leaked": f"{counts['leaked']} deliveries went to somebody without a right to them, or named a wrong room",
        "refused-but-delivered": f"{counts['refused-but-delivered']} deliveries of messages that had been refused",
        "unknown-delivery": f"{counts['unknown-delivery']} deliveries of messages that nobody sent",
        "stale": f"{counts['stale']} dead connections were still listed {within} after they had died",
        "forgotten": f"{counts['forgotten']} live connections vanished from the endpoint's list",
        "throttle-not-enforced": f"{counts['throttle-not-enforced']} messages of {throttle.get('sent')} in bursts were "
        "accepted beyond the promised limit",
        "throttled-silently": f"{counts['throttled-silently']} connections were cut after a burst without a word why",
        "malformed-accepted": f"{counts['malformed-accepted']} of {malformed.get('sent')} malformed payloads were "
        "accepted",
        "wrongly-rejected": f"{counts['wrongly-rejected']} valid requests were refused: {wrong}",
        "wrong-code": f"{counts['wrong-code']} malformed payloads were refused in another way than promised",
        "garbled": f"{counts['garbled']} frames that are not the protocol's reached clients who had sent none such",
        "unanswered": f"{counts['unanswered']} requests were never answered",
        "unexpected-close": f"{counts['unexpected-close']} connections ended for no reason of ours: {ended}",
        "open-failed": f"{counts['open-failed']} attempts to connect failed",
        "memory-grows": f"the endpoint's memory grows by at least {counts['memory-grows']} MiB an hour",
    }
