"""The times of a replay: read from a CSV file, kept in the run directory, read again by every process of the run.

A time is a number of seconds (since whenever) or an ISO 8601 date; the earliest becomes 0 and the others keep their
distance. A log may be a little out of order, so it is sorted; but a cell that is no time is an error that names the
line, since leaving it out would silently change the load.
"""

import csv
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TextIO

from ..errors import RunFailed, UsageError
from ..plan.shape import Replay
from ..units import SECOND

KEPT = "replay.csv"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_times(shape: Replay, beside: Path | None) -> "array[int]":
    """The times in nanoseconds, from 0, in order; the file's path is relative to that of the plan's file, `beside`.

    Raises:
        UsageError: the file or the column is not there, or a line holds no time; says which.
    """
    path = beside.parent / shape.file if beside is not None else Path(shape.file)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            times = sorted(_times(stream, shape, path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"load.shape.file: cannot read {path}: {why}") from None
    if not times:
        raise UsageError(f"load.shape.file: {path} holds no times")
    first = times[0]
    return array("q", (round((time - first) / shape.speed) for time in times))


def keep(times: "array[int]", path: Path) -> None:
    """Write them into a run directory, for its processes and for readers of the run.

    Raises:
        RunFailed: they cannot be written.
    """
    try:
        (path / KEPT).write_text("\n".join(["due_ns", *map(str, times)]) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunFailed(f"cannot write {path / KEPT}: {error.strerror}") from error


def replayed(path: Path) -> "array[int]":
    """The times kept in a run directory; empty when the run is no replay."""
    file = path / KEPT
    return array("q", map(int, file.read_text(encoding="utf-8").split()[1:]) if file.exists() else ())


def _times(stream: TextIO, shape: Replay, path: Path) -> Iterator[int]:
    reader = csv.reader(stream)
    index: int | None = None if shape.column else 0
    for line in reader:
        if not line or not any(cell.strip() for cell in line):
            continue
        if index is None:
            names = [cell.strip() for cell in line]
            if shape.column not in names:
                raise UsageError(
                    f'load.shape.column: {path} has no column "{shape.column}"; it has {", ".join(names[:10])}'
                )
            index = names.index(shape.column)
            continue
        text = line[index].strip() if index < len(line) else ""
        time = _time(text)
        if time is not None:
            yield time
        elif not (reader.line_num == 1 and not shape.column):  # a header is no time
            raise UsageError(
                f'load.shape.file: {path}, line {reader.line_num}: "{text[:40]}" is no time; '
                "write seconds (12.5) or ISO 8601 (2026-11-24T10:00:00Z)"
            )


def _time(text: str) -> int | None:
    """Nanoseconds, exactly as written; None when it is no time."""
    try:
        number = Decimal(text)
        return int(number * SECOND) if number.is_finite() and abs(number) < 10**12 else None
    except InvalidOperation:
        pass
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    since = (date if date.tzinfo else date.replace(tzinfo=UTC)) - EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1_000
