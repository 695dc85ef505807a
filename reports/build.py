"""A report, built from a run directory: every figure, judgement and warning as plain data.

The composition of the sections, and nothing else; `docs/report.md` describes every field.
"""

from pathlib import Path
from typing import Any

from harness.record.run_directory import open_run

from .closes import closes
from .figures import all_figures, outcomes
from .findings import find_all
from .fitness import fitness
from .growth import growth
from .ledger import ledger
from .patterns import patterns
from .recovery import recovery
from .rejections import rejections
from .rows import load
from .stale import stale
from .storms import storms
from .strays import strays
from .timeline import timeline

REPORT_FORMAT = 1


def build_report(path: Path) -> dict[str, Any]:
    """Everything that can be said about a run; JSON-able. Absent values are None.

    Raises:
        RunDirectoryError: the directory is not a run that can be read.
    """
    run = open_run(path)
    rows = load(run)
    figures = all_figures(rows)
    books = ledger(rows)
    listed = stale(rows)
    refused = rejections(rows)
    ended = closes(rows)
    grown = growth(rows)
    counts, findings = find_all(rows, books, listed, refused, ended["unexpected"], grown)
    manifest = run.manifest
    return {
        "format": REPORT_FORMAT,
        "run": {
            "path": str(path.resolve()),
            "name": manifest["plan"]["name"],
            "status": run.status,
            "reason": run.reason,
            "started": manifest.get("started"),
            "duration_s": round((rows.last_ns - rows.start_ns) / 1e9, 3),
            "load_start_s": round((rows.load_start_ns - rows.start_ns) / 1e9, 3),
            "load_end_s": round((rows.load_end_ns - rows.start_ns) / 1e9, 3),
            "rows": len(rows.table),
            "sessions": manifest["plan"]["load"]["sessions"],
            "sessions_faulted": int(rows.faulted.sum()),
            "loop": manifest.get("loop", "open"),
            "warnings": list(run.warnings),
            "skipped": manifest.get("skipped", []),
        },
        "fitness": fitness(run, rows, figures),
        "findings": findings,
        "findings_made": len(findings),
        "finding_counts": counts,
        "figures": figures,
        "patterns": patterns(rows),
        "outcomes": outcomes(rows),
        "ledger": books,
        "stale": listed,
        "recovery": recovery(rows),
        "storms": storms(rows),
        "rejections": refused,
        "closes": ended,
        "strays": strays(run, rows),
        "growth": grown,
        "timeline": timeline(rows),
        "evidence": run.evidence()[:50],
        "manifest": {key: manifest.get(key) for key in ("plan", "digest", "topology", "host", "versions", "stamps")},
    }
