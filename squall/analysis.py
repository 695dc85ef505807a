"""`open_run`: a recorded run as pandas data frames, for notebooks and scripts (`docs/analysis.md`).

It reads files only. Neither Locust nor gevent is imported, so nothing in the notebook's process is patched.
"""

from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.record import run_directory

from . import frames, reporting

if TYPE_CHECKING:
    from reports.report import Report
    from reports.rows import Rows


class Run:
    """A recorded run. Each frame is made when it is first asked for, and then kept.

    Columns that end in `_s` are seconds since the run's start, those in `_ms` are durations in milliseconds. What was
    not measured is NaN or `<NA>`, never 0. `affected` says that a fault was injected into the session (of deliveries:
    into sender or receiver) at any time of the run, as in the report.
    """

    def __init__(self, found: run_directory.RunDirectory, rows: "Rows") -> None:
        self._found = found
        self._rows = rows
        self.path: Path = found.path
        """The run directory."""
        self.status: run_directory.Status = found.status
        """`complete`, `interrupted`, `failed`, or `unsealed` (the run was killed)."""
        self.warnings: tuple[str, ...] = (*found.warnings, *found.incomplete)
        """What is wrong with the recording, one line each: no seal, torn rows, missing shards."""
        self.manifest: dict[str, Any] = found.manifest
        """The content of run.json."""
        self.plan: dict[str, Any] = found.manifest["plan"]
        """The resolved plan, credentials masked."""
        self.load_start_s = (rows.load_start_ns - rows.start_ns) / 1e9
        """When the load began, in seconds since the run's start."""
        self.load_end_s = (rows.load_end_ns - rows.start_ns) / 1e9
        """When the load ended."""

    def __repr__(self) -> str:
        return f"<Run {self.path.name}: {self.status}, {len(self._rows.table):,} rows>"

    @cached_property
    def operations(self) -> pd.DataFrame:
        """One line per operation: login, open, join, publish, leave, ping, probe, keepalive, fetch, recovery."""
        return frames.operations(self._rows)

    @cached_property
    def deliveries(self) -> pd.DataFrame:
        """One line per message that reached a session."""
        return frames.deliveries(self._rows)

    @cached_property
    def connections(self) -> pd.DataFrame:
        """One line per connection, refused attempts included."""
        return frames.connections(self._rows)

    @cached_property
    def faults(self) -> pd.DataFrame:
        """One line per fault and session."""
        return frames.faults(self._rows)

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One line per process and second, a column per gauge."""
        return frames.samples(self._rows)

    @cached_property
    def owed(self) -> pd.DataFrame:
        """The delivery ledger: one line per delivery that was owed, and whether it was `paid`."""
        return frames.owed(self._rows)

    @property
    def lost(self) -> pd.DataFrame:
        """The deliveries that were owed and never arrived."""
        return self.owed[~self.owed["paid"] & ~self.owed["unrecognised"]]

    @cached_property
    def report(self) -> "Report":
        """The report, with the fields of report.json as attributes (`docs/report.md`)."""
        return reporting.build.build_report(self.path)


def open_run(path: str | PathLike[str]) -> Run:
    """Open a recorded run for analysis.

    Args:
        path: the run directory that `squall run` printed.

    Returns:
        The run. One that was interrupted, or killed before it was sealed, opens too: see its `status` and `warnings`.

    Raises:
        SquallError: there is no run directory, or this version cannot read it.
    """
    found = run_directory.open_run(Path(path))
    return Run(found, reporting.rows.load(found))
