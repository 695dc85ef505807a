"""A report, built from a run directory: rows, then every registered section, then every finding."""

from pathlib import Path

import msgspec

from harness.plan.shipped import find_shipped
from harness.record.run_directory import open_run

from . import findings, sections
from .gate import judged
from .registry import RULES, Found, Known, NotJudged, Rule, call, check
from .report import JUDGED, REPORT_FORMAT, Finding, Report
from .rows import load
from .verdict import Looked, unjudged

__all__ = ["build_report", "findings", "sections"]

DEFAULT_BUDGET = "default.toml"

check(Report, JUDGED)
ORDER = [name for name in Report.__struct_fields__ if name not in JUDGED]


def build_report(path: Path, budget: Path | None = None) -> Report:
    """Everything that can be said about a run, and the verdict on it.

    Args:
        path: a run directory.
        budget: the file with the limits; None: the shipped default.

    Raises:
        RunDirectoryError: the directory is not a run that can be read.
        UsageError: the budget cannot be read or is wrong.
    """
    directory = open_run(path)
    known = Known(directory, load(directory))
    fields: dict[str, object] = {"format": REPORT_FORMAT, **judge(known)}
    report = msgspec.convert(fields | {name: known[name] for name in ORDER}, Report)
    return judged(report, budget or find_shipped("budgets", DEFAULT_BUDGET))


def rules() -> list[Rule]:
    """Every finding: those of the ledger first, then in the order of their sections in the report."""
    return sorted(RULES.values(), key=lambda rule: (rule.section != "ledger", ORDER.index(rule.section)))


def judge(known: Known) -> dict[str, object]:
    """The fields of the report that say what was found, what was looked at, and what was not judged."""
    counts: dict[str, int | None] = {}
    reasons: dict[str, str] = {}
    looked: dict[str, Looked] = {}
    missing = []
    made = []
    for rule in rules():
        verdict = call(rule.judge, known)
        if isinstance(verdict, NotJudged):
            counts[rule.name], reasons[rule.name] = None, verdict.why
            missing += [rule.name] if verdict.expected else []
            continue
        count = verdict.count if isinstance(verdict, Found) else 0
        counts[rule.name] = count
        looked[rule.name] = Looked(found=count, looked_at=verdict.looked_at, of=verdict.of)
        if isinstance(verdict, Found):
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
    return {
        "verdict": unjudged(looked, missing),
        "findings": made,
        "findings_made": len(made),
        "finding_counts": counts,
        "not_judged": reasons,
    }


def to_json(report: Report) -> dict[str, object]:
    """A report as the content of report.json."""
    content: dict[str, object] = msgspec.to_builtins(report)
    return content
