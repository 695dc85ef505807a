"""A Squall run for an accuracy check, and its rows: what was measured, as arrays of milliseconds.

It must not know what the truth is.
"""

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.record.row import DTYPE, ROW_BYTES, Flag, Kind, Outcome

from ..installing import CACHE
from ..processes import GENERATOR_CORE, Group
from ..serving import Target
from ..squalling import command_for, report_of, run_directory

Array = NDArray[Any]
MESSAGES_PER_S = 200.0
SESSIONS = 20
QUANTILES = (0.5, 0.9, 0.99, 0.999)
END_S = 20.0


@contextlib.contextmanager
def running(target: Target, duration_s: float, scenario: str = "", sessions: int = SESSIONS) -> Iterator["Running"]:
    """A run of 200 messages/s in the background, ended with the context."""
    CACHE.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=CACHE, prefix="accuracy-"))
    command = command_for(
        scratch,
        target.url(),
        sessions=sessions,
        rate_per_s=MESSAGES_PER_S / sessions,
        duration_s=duration_s,
        scenario=scenario,
    )
    try:
        with (scratch / "output.txt").open("wb") as output:
            group = Group(command, GENERATOR_CORE, output=output, errors=output)
        try:
            yield Running(group, scratch, duration_s)
        finally:
            group.stop()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class Running:
    """A run that has been started."""

    def __init__(self, group: Group, scratch: Path, duration_s: float) -> None:
        self._group = group
        self._scratch = scratch
        self._duration_s = duration_s

    def load_start_ns(self) -> int:
        """When the first message is due (monotonic clock), as soon as the run directory says so."""
        until = time.monotonic() + END_S
        while time.monotonic() < until and self._group.is_alive:
            with contextlib.suppress(RuntimeError, OSError, ValueError):
                return int(json.loads((run_directory(self._scratch) / "run.json").read_text())["load_start_ns"])
            time.sleep(0.02)
        raise RuntimeError("the run did not begin")

    def wait(self) -> None:
        """Until it has ended."""
        self._group.popen.wait(self._duration_s + END_S)

    def report(self) -> dict[str, Any]:
        """Its report."""
        return report_of(self._scratch)

    def published(self) -> Array:
        """Its PUBLISH rows."""
        shards = run_directory(self._scratch).glob("*.rows")
        rows = np.concatenate([np.fromfile(shard, np.dtype(DTYPE), offset=ROW_BYTES) for shard in shards])
        found: Array = rows[rows["kind"] == Kind.PUBLISH]
        return found


def response_ms(published: Array) -> Array:
    """From due to arrived, of those that were answered."""
    answered = published[published["outcome"] == Outcome.OK]
    return (answered["arrived"] - answered["due"]) / 1e6  # type: ignore[no-any-return]


def service_ms(published: Array) -> Array:
    """From sent to arrived, of those that were answered."""
    answered = published[published["outcome"] == Outcome.OK]
    return (answered["arrived"] - answered["sent"]) / 1e6  # type: ignore[no-any-return]


def exact_share(published: Array) -> float:
    """Which part of the arrivals has an exact stamp."""
    answered = published[published["outcome"] == Outcome.OK]
    return float(np.mean(answered["flags"] & Flag.EXACT > 0))


def quantile(values: Array, share: float) -> float:
    """An order statistic, never interpolated."""
    ordered = np.sort(values)
    return float(ordered[int(np.ceil(share * len(ordered))) - 1])
