"""Strays: what arrived and fitted nothing that we did; most often a protocol described not quite as it is.

It must not judge: that a frame is of no use to us is no fault of the endpoint's.
"""

from typing import Any

from harness.record.row import Gauge, Kind, Outcome, SignalKind
from harness.record.run_directory import RunDirectory

from .rows import Rows

EXAMPLES = 3


def strays(run: RunDirectory, rows: Rows) -> dict[str, Any]:
    """How many frames were of no use, by what they looked like, and the first of those that matched nothing."""
    found = rows.of(Kind.STRAY)
    samples = rows.of(Kind.SAMPLE)
    counts = samples[samples["code"] == Gauge.UNMATCHED]
    by_process = {int(row["session"]): int(row["seq"]) for row in counts}
    return {
        "garbled": int((found["outcome"] == Outcome.GARBLED).sum()),
        "unknown_deliveries": int((found["code"] == SignalKind.DELIVERY).sum()),
        "unmatched": sum(by_process.values()) if len(counts) else None,
        "examples": [line["text"] for line in run.evidence() if line.get("kind") == "unmatched"][:EXAMPLES],
    }


def in_words(found: dict[str, Any]) -> str:
    """One line; "" when everything was of use."""
    if not found["unmatched"]:
        return ""
    first = f"; the first: {found['examples'][0]}" if found["examples"] else ""
    return f"{found['unmatched']} arrived that were of no use to us{first}"
