"""Strays: frames that fitted nothing that we did; most often a protocol described not quite as it is."""

import msgspec
import numpy as np

from harness.record.row import Flag, Gauge, Kind, Misfit, Outcome, SignalKind
from harness.record.run_directory import RunDirectory

from ..manifest import Json
from ..registry import section
from ..rows import Array, Rows

EXAMPLES = 3
ANSWERS = (SignalKind.ACK, SignalKind.ERROR, SignalKind.PONG)


class Strays(msgspec.Struct, frozen=True, kw_only=True):
    """Frames that fitted nothing that we did; no fault of the endpoint's in itself."""

    garbled: int
    """frames that are not of the protocol"""
    unknown_deliveries: int
    """deliveries without an id of this run"""
    foreign_deliveries: int
    """the ones among them that do not look like the run's either: of other clients, or with ids of the endpoint's"""
    unmatched: int | None
    """frames of the protocol that are no ack, error, pong or delivery; `null`: not counted"""
    examples: list[str]
    """the first unrecognised frames, and what each was taken for; the most telling first"""
    errors_without_id: int
    """errors without the id that the protocol gives them"""
    errors_by_protocol: int
    """errors to which the protocol gives no id of ours, and that may answer several requests"""
    answers_to_others: int
    """answers that named another session's request"""
    answers_again: int
    """answers to requests that had been answered before"""


@section("strays")
def strays(directory: RunDirectory, rows: Rows) -> Strays:
    """How many frames fitted nothing, by what they looked like, and the first ones."""
    stray = rows.of(Kind.STRAY)
    samples = rows.of(Kind.SAMPLE)
    counts = samples[samples["code"] == Gauge.UNMATCHED]
    answers = stray[np.isin(stray["code"], ANSWERS)]
    errors = stray[stray["code"] == SignalKind.ERROR]
    by_process = {int(row["session"]): int(row["seq"]) for row in counts}
    kept = [line for line in directory.evidence() if line.get("kind") == "unmatched"]
    deliveries = stray[stray["code"] == SignalKind.DELIVERY]
    return Strays(
        garbled=int((stray["outcome"] == Outcome.GARBLED).sum()),
        unknown_deliveries=len(deliveries),
        foreign_deliveries=int((deliveries["flags"] & Flag.MADE_UP == 0).sum()),
        unmatched=sum(by_process.values()) if len(counts) else None,
        examples=[str(line["text"]) for line in sorted(kept, key=lambda line: _telling(line, rows))][:EXAMPLES],
        errors_without_id=_count(errors, Misfit.LACKS_ID),
        errors_by_protocol=_count(errors, Misfit.HAS_NONE, Misfit.UNKNOWN),
        answers_to_others=_count(answers, Misfit.OTHERS),
        answers_again=_count(answers, Misfit.AGAIN),
    )


def _count(found: Array, *why: Misfit) -> int:
    return int(np.isin(found["peer"], why).sum())


def _telling(line: Json, rows: Rows) -> tuple[bool, bool, bool]:
    """How little an unrecognised frame says of missing deliveries: greetings come before the load, and name nothing."""
    at_ns = line.get("at_ns")
    before = isinstance(at_ns, int) and at_ns < rows.manifest.load_start_ns
    return before, line.get("signal") not in ("delivery", "ack"), not line.get("ours")
