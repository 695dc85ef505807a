"""Sentences that terminal and page share: parts of the report filled into the templates of `words.py`."""

import msgspec

from . import words
from .manifest import Json, Plan
from .sections.growth import Growth
from .sections.ledger import Ledger
from .sections.recovery import Recovery
from .sections.source import ManifestShown
from .sections.storms import Storm
from .sections.strays import Strays

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


def unrecognised(strays: Strays) -> str:
    """The section `strays`; "" when every frame was recognised."""
    if not strays.unmatched:
        return ""
    example = words.STRAY_EXAMPLE.format(text=strays.examples[0]) if strays.examples else ""
    return words.STRAY.format(count=strays.unmatched, example=example)
