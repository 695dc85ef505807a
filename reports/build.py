"""A report, built from a run directory: rows, then every registered section, then every finding."""

from pathlib import Path

import msgspec

from harness.record.run_directory import open_run

from . import findings, sections
from .registry import RULES, Known, NotJudged, Rule, call, check
from .report import JUDGED, REPORT_FORMAT, Finding, Report
from .rows import load

__all__ = ["build_report", "findings", "sections"]

check(Report, JUDGED)
ORDER = [name for name in Report.__struct_fields__ if name not in JUDGED]


def build_report(path: Path) -> Report:
    """Everything that can be said about a run.

    Args:
        path: a run directory.

    Raises:
        RunDirectoryError: the directory is not a run that can be read.
    """
    directory = open_run(path)
    known = Known(directory, load(directory))
    counts, reasons, made = judge(known)
    fields: dict[str, object] = {
        "format": REPORT_FORMAT,
        "findings": made,
        "findings_made": len(made),
        "finding_counts": counts,
        "not_judged": reasons,
    }
    return msgspec.convert(fields | {name: known[name] for name in ORDER}, Report)


def rules() -> list[Rule]:
    """Every finding, in the order of their sections in the report."""
    return sorted(RULES.values(), key=lambda rule: ORDER.index(rule.section))


def judge(known: Known) -> tuple[dict[str, int | None], dict[str, str], list[Finding]]:
    """The count of each finding by name (None: not judged), why not, and the findings that were made."""
    counts: dict[str, int | None] = {}
    reasons: dict[str, str] = {}
    made = []
    for rule in rules():
        verdict = call(rule.judge, known)
        if isinstance(verdict, NotJudged):
            counts[rule.name], reasons[rule.name] = None, verdict.why
        elif verdict is None:
            counts[rule.name] = 0
        else:
            counts[rule.name] = verdict.count
            made.append(
                Finding(
                    name=rule.name,
                    count=verdict.count,
                    section=rule.section,
                    text=rule.sentence.format(count=verdict.count, **verdict.values),
                    first_s=verdict.first_s,
                    whom=verdict.whom,
                )
            )
    return counts, reasons, made


def to_json(report: Report) -> dict[str, object]:
    """A report as the content of report.json."""
    content: dict[str, object] = msgspec.to_builtins(report)
    return content
