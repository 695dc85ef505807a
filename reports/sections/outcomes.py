"""The section `outcomes`: how many of each operation ended how."""

import numpy as np

from harness.record.row import Kind, Outcome

from ..registry import section
from ..rows import Rows

OPERATIONS = (
    Kind.LOGIN,
    Kind.OPEN,
    Kind.JOIN,
    Kind.PUBLISH,
    Kind.LEAVE,
    Kind.PING,
    Kind.PROBE,
    Kind.CLOSE,
    Kind.LOOK,
    Kind.KEEPALIVE,
    Kind.FETCH,
)


@section("outcomes")
def outcomes(rows: Rows) -> dict[str, dict[str, int]]:
    """The counts by operation and outcome; neither is listed without any."""
    counted: dict[str, dict[str, int]] = {}
    for kind in OPERATIONS:
        counts = np.bincount(rows.of(kind)["outcome"], minlength=len(Outcome))
        named = {Outcome(number).name.lower(): int(count) for number, count in enumerate(counts) if count}
        if named:
            counted[kind.name.lower()] = named
    return counted
