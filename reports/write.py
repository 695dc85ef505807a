"""Write a report into its run directory: report.json and report.html, each there whole or not at all."""

from pathlib import Path

from harness.errors import RunFailed
from harness.record.run_directory import write_json

from .build import build_report, to_json
from .report import Report

JSON = "report.json"
HTML = "report.html"


def write(path: Path, budget: Path | None = None) -> Report:
    """Build the report of a run and write it into its directory.

    Args:
        path: the run directory.
        budget: the file with the limits of the verdict; None: the shipped default.

    Raises:
        RunDirectoryError: the directory is not a run that can be read.
        UsageError: the budget cannot be read or is wrong.
        RunFailed: it cannot be written there.
    """
    report = build_report(path, budget)
    try:
        write_json(path / JSON, to_json(report))
        from .html import render  # matplotlib takes half a second

        draft = path / f".{HTML}"
        draft.write_text(render(report), encoding="utf-8")
        draft.replace(path / HTML)
    except OSError as error:
        raise RunFailed(f"cannot write the report into {path}: {error.strerror}") from error
    return report
