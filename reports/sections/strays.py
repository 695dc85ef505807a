"""Strays: frames that fitted nothing that we did; most often a protocol described not quite as it is."""

import msgspec

from harness.record.row import Gauge, Kind, Outcome, SignalKind
from harness.record.run_directory import RunDirectory

from ..registry import section
from ..rows import Rows

EXAMPLES = 3


class Strays(msgspec.Struct, frozen=True, kw_only=True):
    """Frames that fitted nothing that we did; no fault of the endpoint's in itself."""

    garbled: int
    """frames that are not of the protocol"""
    unknown_deliveries: int
    """deliveries without an id of this run"""
    unmatched: int | None
    """frames of the protocol that are no ack, error, pong or delivery; `null`: not counted"""
    examples: list[str]
    """the first unmatched frames"""


@section("strays")
def strays(directory: RunDirectory, rows: Rows) -> Strays:
    """How many frames fitted nothing, by what they looked like, and the first ones."""
    stray = rows.of(Kind.STRAY)
    samples = rows.of(Kind.SAMPLE)
    counts = samples[samples["code"] == Gauge.UNMATCHED]
    by_process = {int(row["session"]): int(row["seq"]) for row in counts}
    return Strays(
        garbled=int((stray["outcome"] == Outcome.GARBLED).sum()),
        unknown_deliveries=int((stray["code"] == SignalKind.DELIVERY).sum()),
        unmatched=sum(by_process.values()) if len(counts) else None,
        examples=[str(line["text"]) for line in directory.evidence() if line.get("kind") == "unmatched"][:EXAMPLES],
    )
