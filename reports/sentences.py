"""Sentences that terminal and page share: parts of the report filled into the templates of `words.py`."""

from typing import NamedTuple

import msgspec

from . import words
from .manifest import Json, Plan
from .sections.growth import Growth
from .sections.ledger import Ledger
from .sections.recovery import Recovery
from .sections.rejections import Rejections
from .sections.requests import Requests
from .sections.source import ManifestShown
from .sections.storms import Storm
from .sections.strays import Strays
from .throttle_limit import Limit, Measure
from .verdict import RunVerdict

MEASURES = {"resident_mib": ("memory", " MiB"), "descriptors": ("descriptors", "")}
"""The name of what grows, and its unit."""


def grown(one: Growth) -> str:
    """One entry of `growth`."""
    what, unit = MEASURES[one.what]
    return words.GROWS.format(
        whose=f"{one.whose} {one.process}" if one.whose == "generator" else one.whose,
        what=what,
        unit=unit,
        verdict=one.verdict,
        first=one.first,
        last=one.last,
        per_h=one.per_h,
        low=one.low_per_h,
        high=one.high_per_h,
        judged_s=one.judged_s,
    )


def storm(one: Storm) -> str:
    """One entry of `storms`."""
    times = (("half", one.half_s), ("95 %", one.p95_s), ("all", one.all_s))
    spread = [words.STORM_SPREAD.format(what=what, after_s=after) for what, after in times if after is not None]
    return words.STORM.format(
        at_s=one.at_s,
        dropped=one.dropped,
        fault=one.fault,
        back=one.back,
        spread="".join(f", {part}" for part in spread),
    )


def recovered(recovery: Recovery, missed: int) -> str:
    """The section `recovery`, and how many messages were missed meanwhile."""
    time = recovery.time
    times = (("p50", time.p50), ("p95", time.p95), ("max", time.max))
    spread = ", ".join(f"{name} {value_ms / 1000:.2f} s" for name, value_ms in times if value_ms is not None)
    parts = [words.JOINED_AGAIN.format(count=recovery.recovered) + (f" ({spread})" if spread else "")]
    if recovery.gave_up:
        why = ", ".join(f"{count} by {reason}" for reason, count in recovery.gave_up_by.items())
        parts.append(words.GAVE_UP.format(count=recovery.gave_up, why=why))
    if recovery.still_away:
        parts.append(words.STILL_AWAY.format(count=recovery.still_away))
    return words.RECOVERED.format(lost=recovery.lost, parts=", ".join(parts), missed=missed)


def rooms(ledger: Ledger, evidence: list[Json], manifest: ManifestShown) -> str:
    """Why the rooms that deliveries name are not judged; "" when they are, or there are none."""
    named = ledger.named
    if named is None or named.planned:
        return ""
    if named.others:
        first = next((str(line["text"]) for line in evidence if line.get("kind") == "elsewhere"), "")
        return words.ROOMS_OF_ITS_OWN.format(example=words.ROOMS_EXAMPLE.format(text=first) if first else "")
    endpoint = msgspec.convert(manifest.plan, Plan).endpoint
    delivery = endpoint.json.delivery if endpoint.json else None
    if named.none and delivery and delivery.room and endpoint.dialect == "json":
        return words.NO_ROOM_AT_PATH.format(path=delivery.room)
    return ""


def unsent(rejections: Rejections) -> str:
    """Which bursts and malformed payloads were never sent; "" when all were."""
    one = rejections.unsent
    counts = ((words.UNSENT_BURSTS, one.burst_messages), (words.UNSENT_MALFORMED, one.malformed))
    parts = [text.format(count=count) for text, count in counts if count]
    return words.UNSENT_LINE.format(what=" and ".join(parts)) if parts else ""


def unmeasured(rejections: Rejections) -> str:
    """Why there is no measured throttle; "" when there is one, or nothing to measure."""
    limit = rejections.limit
    if limit is None or limit.measured is not None:
        return ""
    return words.NO_BUCKET if limit.throttled else words.NOT_MEASURED


def bucket_rows(limit: Limit) -> list[tuple[str, float | None, Measure | None]]:
    """The throttle's rate and size: label, promised, measured."""
    promised, measured = limit.promised, limit.measured
    return [
        (
            "rate per second",
            promised.rate_per_s if promised else None,
            measured.rate_per_s if measured else None,
        ),
        ("size", promised.size if promised else None, measured.size if measured else None),
    ]


def unrecognised(strays: Strays) -> str:
    """The section `strays`; "" when every frame was recognised and every answer matched."""
    said = []
    if strays.unmatched:
        example = words.STRAY_EXAMPLE.format(text=strays.examples[0]) if strays.examples else ""
        said.append(words.STRAY.format(count=strays.unmatched, example=example))
    said += [text.format(count=count) for name, text in words.MISFITS.items() if (count := getattr(strays, name))]
    return "; ".join(said)


def judged(verdict: RunVerdict) -> str:
    """The findings that were judged and not made, with how much was looked at: `lost: 0 of 305,550 deliveries owed`."""
    names: dict[tuple[int, str], list[str]] = {}
    for name, one in verdict.judged.items():
        if not one.found:
            names.setdefault((one.looked_at, one.of), []).append(name)
    return "; ".join(
        words.NONE_OF.format(names=", ".join(each), count=count, of=of) for (count, of), each in names.items()
    )


def unjudged(not_judged: dict[str, str]) -> str:
    """The findings that were not judged, by reason."""
    names: dict[str, list[str]] = {}
    for name, why in not_judged.items():
        names.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(each)} ({why})" for why, each in names.items())


class Refused(NamedTuple):
    """How many requests were refused, over all actions and ways; `share` None: none was sent."""

    refused: int
    sent: int
    share: float | None


def refused(counted: dict[str, dict[str, Requests]]) -> Refused:
    """Over all actions and ways."""
    every = [one for ways in counted.values() for one in ways.values()]
    count, sent = sum(one.refused for one in every), sum(one.sent for one in every)
    return Refused(count, sent, count / sent if sent else None)


def requests(counted: dict[str, dict[str, Requests]]) -> list[str]:
    """One line for each action and way of which some were not accepted; one for all where all were."""
    told = []
    for action, ways in counted.items():
        for way, one in ways.items():
            parts = [f"{one.refused:,} of {one.sent:,} refused ({one.refused_share or 0:.1%})"]
            others = (
                (one.unanswered, "unanswered"),
                (one.garbled, "garbled"),
                (one.closed, "cut off"),
                (one.unknown, "given up"),
            )
            parts += [f"{count:,} {what}" for count, what in others if count]
            parts += [f"{one.not_sent:,} of {one.due:,} not sent"] if one.not_sent else []
            if one.ok < one.due:
                told.append(f"{action} ({way}): {', '.join(parts)}")
    return told or [words.NONE_REFUSED.format(sent=refused(counted).sent)]
