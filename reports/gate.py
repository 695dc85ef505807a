"""The gate: judge a report by a budget, clause by clause.

A figure that is absent fails its clause, because a gate that passes what was never measured is worse than none. A
count that our own punctuality cannot explain is judged in an unfit run, too; a latency is not, nor where our own delay
is more than a fifth of its limit.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from . import words
from .budget import EVERY_FINDING, Budget, Clause, current_name, load_budget
from .judging import Spoils
from .percentile import Groups, Percentiles
from .registry import RULES, Basis
from .report import Report
from .sections.fitness import RunFitness
from .verdict import JudgedClause, Result, RunVerdict, Word

__all__ = ["judge", "judged", "load_budget", "look_up"]

OUR_SHARE = 5
"""A latency clause is inconclusive when our own delay is more than its limit divided by this."""
OURS = ("lag", "read_lag")
"""Figures of the generator itself."""
FROM_DUE = ("response", "delivery", "open")
"""Figures that begin when something was due, so that the send delay is in them."""
UNTIL_ANSWER = ("response",)
"""Figures that the budget's reader takes for those of the sender: only the send delay is held against them."""
FINDINGS = "finding_counts"
SPOILT: dict[Spoils, tuple[Basis, ...]] = {
    "latencies": ("latency",),
    "absences": ("latency", "absence"),
    "counts": ("latency", "absence", "presence"),
}
"""Which findings a reason for unfitness makes uncertain, by what they rest on."""


def judged(report: Report, budget: Path) -> Report:
    """The same report with the verdict by this budget file.

    Raises:
        UsageError: the budget cannot be read or is wrong.
    """
    return msgspec.structs.replace(report, verdict=judge(report, load_budget(budget)))


def judge(report: Report, budget: Budget) -> RunVerdict:
    """The verdict on a report by a budget."""
    clauses = [one for clause in budget.clause for one in _all_of(clause, report)]
    doubts = list(_doubts(report))
    verdict = _verdict(report, clauses, doubts)
    reasons = list(_failures(report, clauses)) if verdict == "fail" else []
    if verdict != "pass":
        reasons += [*doubts, *report.fitness.reasons]
        reasons += [f"{one.figure}: {one.why}" for one in clauses if one.result == "inconclusive"]
    return RunVerdict(
        verdict=verdict,
        reasons=list(dict.fromkeys(reasons)),
        fit=report.fitness.verdict == "fit",
        budget=budget.name,
        clauses=clauses,
        judged=report.verdict.judged,
        missing=report.verdict.missing,
    )


def look_up(report: Report, path: str) -> float | None:
    """The number at a dotted path of the report; None when there is none."""
    place = _place(report, current_name(path).split("."))
    return float(place) if isinstance(place, int | float) and not isinstance(place, bool) else None


def _verdict(report: Report, clauses: list[JudgedClause], doubts: list[str]) -> Word:
    """A clause that is broken for certain decides; then what was cut short, the generator, and what was not judged."""
    if any(one.result == "fail" for one in clauses):
        return "fail"
    if report.fitness.verdict != "fit" and report.run.status == "complete":
        return "unfit"
    if doubts or report.fitness.verdict != "fit" or any(one.result == "inconclusive" for one in clauses):
        return "inconclusive"
    return "pass"


def _failures(report: Report, clauses: list[JudgedClause]) -> Iterator[str]:
    """What each broken clause says: a finding's own sentence, or the figure with its limit."""
    sentences = {finding.name: finding.text for finding in report.findings}
    for one in clauses:
        if one.result == "fail":
            section, _, name = current_name(one.figure).partition(".")
            if section == FINDINGS and name in sentences:
                yield f"{name}: {sentences[name]}"
            else:
                value = words.ABSENT if one.value is None else f"{one.value:g}"
                yield words.CLAUSE_BROKEN.format(figure=one.figure, value=value, limit=one.limit)


def _doubts(report: Report) -> Iterator[str]:
    """Why no run like this one passes, whatever its figures."""
    run = report.run
    if run.status == "interrupted":
        yield words.INTERRUPTED.format(ran_s=run.load_end_s - run.load_start_s)
    elif run.status == "failed":
        yield words.FAILED.format(reason=run.reason)
    elif run.status == "unsealed":
        yield words.KILLED
    if run.plan_edited:
        yield words.PLAN_EDITED
    opened = report.requests.get("open", {})
    if not any(one.ok for one in opened.values()) and not report.requests.get("publish"):
        refusals = [line for line in report.evidence if line.get("kind") == "refused"]
        yield words.NOTHING_OPENED.format(refusal=f": {refusals[0].get('text', '')}" if refusals else "")
    elif not _anything(report):
        yield words.NOTHING_JUDGED
    elif run.silent is False and not report.requests.get("publish"):
        yield words.NOTHING_PUBLISHED


def _anything(report: Report) -> bool:
    """Whether any request was answered or any message delivered; where none was due, whether any session opened."""
    answered = report.figures["service"].all.count + report.figures["reject"].all.count + report.ledger.deliveries
    requests = {name: ways for name, ways in report.requests.items() if name not in ("login", "open")}
    answered += sum(one.ok + one.refused for one in requests.get("fetch", {}).values())
    if answered or any(one.refused for ways in requests.values() for one in ways.values()):
        return True
    due = sum(one.due for ways in requests.values() for one in ways.values())
    return not due and any(one.ok for one in report.requests.get("open", {}).values())


def _all_of(clause: Clause, report: Report) -> Iterator[JudgedClause]:
    """A clause on every finding is one clause each; one that was named must have been judged."""
    if current_name(clause.figure) != EVERY_FINDING:
        yield _judged(clause, report, is_named=True)
        return
    for name in report.finding_counts:
        yield _judged(msgspec.structs.replace(clause, figure=f"{FINDINGS}.{name}"), report, is_named=False)


def _judged(clause: Clause, report: Report, *, is_named: bool) -> JudgedClause:
    value = look_up(report, clause.figure)
    margin = None if value is None else min(_margins(clause, value))
    section, _, name = current_name(clause.figure).partition(".")
    if section == FINDINGS and name in report.not_judged:
        asked_for = is_named or name in report.verdict.missing
        result: Result = "inconclusive" if asked_for else "not judged"
        why = report.not_judged[name]
    else:
        result, why = _result(clause, report, value, margin)
    return JudgedClause(
        figure=clause.figure, max=clause.max, min=clause.min, equals=clause.equals, value=value, margin=margin,
        result=result, why=why,
    )  # fmt: skip


def _margins(clause: Clause, value: float) -> Iterator[float]:
    if clause.max is not None:
        yield clause.max - value
    if clause.min is not None:
        yield value - clause.min
    if clause.equals is not None:
        yield 0.0 - abs(value - clause.equals)


def _result(clause: Clause, report: Report, value: float | None, margin: float | None) -> tuple[Result, str]:
    """The result of a clause, and why it is not judged or inconclusive."""
    section, _, name = current_name(clause.figure).partition(".")
    if delay := _own_delay(clause.figure, report):
        if report.fitness.verdict != "fit":
            return "inconclusive", words.CLAUSE_UNFIT
        if value is None and report.run.status != "complete":
            return "inconclusive", words.CLAUSE_CUT_SHORT
        if delay.ms is not None and delay.ms * OUR_SHARE > _limit(clause):
            return "inconclusive", words.CLAUSE_OUR_DELAY.format(what=delay.what, ms=delay.ms, limit=_limit(clause))
    if margin is None:
        return "fail", words.ABSENT
    looked = report.verdict.judged.get(name) if section == FINDINGS else None
    why = words.LOOKED_AT.format(count=looked.looked_at, of=looked.of) if looked else ""
    if margin >= 0:
        return "pass", why
    doubt = "" if delay else _uncertain(clause, report, value or 0.0)
    return ("inconclusive", doubt) if doubt else ("fail", why)


def _uncertain(clause: Clause, report: Report, value: float) -> str:
    """Why a clause on a count that does not hold may be our own doing; "" when it cannot be."""
    cut_short = report.run.status != "complete"
    too_small = (clause.max is None or value <= clause.max) and not (
        clause.equals is not None and value > clause.equals
    )
    if too_small and cut_short:
        return words.CLAUSE_CUT_SHORT
    causes = report.fitness.causes
    if too_small and causes:
        return words.CLAUSE_UNFIT
    spoilt = {basis for cause in causes for basis in SPOILT[cause.spoils]}
    section, _, name = current_name(clause.figure).partition(".")
    if section in (FINDINGS, "findings_made"):
        certain = [one.name for one in report.findings if RULES[one.name].rests_on not in spoilt]
        if name in certain or (section == "findings_made" and not _holds(clause, len(certain))):
            return ""
    elif "absence" not in spoilt:
        return ""
    return causes[0].text if causes else ""


def _holds(clause: Clause, value: float) -> bool:
    return min(_margins(clause, value)) >= 0


class _Delay(msgspec.Struct, frozen=True):
    """Our own delay in a latency: what it is, and its 99th percentile (the largest, where there are too few)."""

    what: str
    ms: float | None


def _own_delay(figure: str, report: Report) -> _Delay | None:
    """Our own delay in this latency; None where the figure is no latency of the endpoint's."""
    *path, last = current_name(figure).split(".")
    if not isinstance(_place(report, path), Percentiles) or last == "count" or path[:1] == ["fitness"]:
        return None
    name = path[1] if path[0] == "figures" else ""
    if name in OURS:
        return None
    send = _Delay(words.SEND_DELAY, _worst(report.figures["lag"], report.fitness, "lag_p99_ms"))
    read = _Delay(words.READ_DELAY, _worst(report.figures["read_lag"], report.fitness, "read_lag_p99_ms"))
    if name in UNTIL_ANSWER:
        return send
    if name in FROM_DUE:
        return max(read, send, key=lambda one: one.ms or 0.0)
    return read


def _worst(figure: Groups, fitness: RunFitness, measure: str) -> float | None:
    """The delay over all processes, or of the worst of them."""
    over_all = figure.all.p99 if figure.all.p99 is not None else figure.all.max
    each = [over_all, *(getattr(one, measure) for one in fitness.processes)]
    return max((value for value in each if value is not None), default=None)


def _limit(clause: Clause) -> float:
    """The bound that a latency clause is about."""
    bounds = (clause.max, clause.equals, clause.min)
    return next(bound for bound in bounds if bound is not None)


def _place(report: Report, names: list[str]) -> object:
    place: object = report
    for name in names:
        if isinstance(place, msgspec.Struct):
            place = getattr(place, name, None)
        else:
            place = place.get(name) if isinstance(place, dict) else None
    return place
