"""How the terminal shows the verdict, what was judged, and what became of the requests."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import sentences, words
from ..report import Report
from ..sections.requests import Requests
from ..verdict import JudgedClause, RunVerdict
from .lines import Line, lines

STYLES = {"pass": "bold green", "fail": "bold red", "unfit": "bold yellow", "inconclusive": "bold yellow"}
RESULTS = {"pass": "green", "fail": "red", "inconclusive": "yellow", "not judged": "dim"}
PER_FINDING = "finding_counts."


def headline(name: str, verdict: RunVerdict) -> Line:
    """The verdict on the endpoint, and second whether the generator was fit."""
    fit = ("fit", "green") if verdict.fit else ("unfit", "bold red")
    return Line(
        Text.assemble(
            (name, "bold"), ": ", (verdict.verdict, STYLES[verdict.verdict]), f" by the budget {verdict.budget}; ",
            "generator ", fit,
        )
    )  # fmt: skip


def show_gate(report: Report, console: Console) -> None:
    """Print every clause with limit, value and margin, what was judged, and the verdict."""
    verdict = report.verdict
    console.print(clauses(verdict.clauses))
    for reason in verdict.reasons:
        console.print(f"  {reason}", style="red", highlight=False, markup=False, soft_wrap=True)
    for note in report.fitness.notes:
        console.print(f"  {note}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    console.print(headline("gate", verdict).text)


def clauses(these: Iterable[JudgedClause]) -> Table:
    """A table of clauses."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "figure", "limit", "value", "margin", ""):
        table.add_column(name, justify="right" if name in ("value", "margin") else "left")
    for one in these:
        value = words.ABSENT if one.value is None else f"{one.value:g}"
        margin = "" if one.margin is None else f"{one.margin:g}"
        word = Text(one.result, RESULTS[one.result])
        table.add_row(word, Text(one.figure), one.limit, value, margin, Text(one.why, "dim"))
    return table


@lines("verdict")
def verdict(verdict: RunVerdict) -> Iterator[Line | Table]:
    """What was judged, and the clauses that are no finding or whose finding does not say it already."""
    if judged := sentences.judged(verdict):
        yield Line(f"judged    {judged}")
    shown = [one for one in verdict.clauses if not one.figure.startswith(PER_FINDING) or one.result == "inconclusive"]
    if shown:
        yield clauses(shown)


@lines("not_judged")
def not_judged(not_judged: dict[str, str]) -> Iterator[Line]:
    """The findings that nothing in this run could have shown, by reason."""
    if not_judged:
        yield Line(f"not judged: {sentences.unjudged(not_judged)}", "dim")


@lines("requests")
def requests(requests: dict[str, dict[str, Requests]]) -> Iterator[Line]:
    """How many were refused, and what else became of them, by action and way."""
    for text in sentences.requests(requests):
        yield Line(f"requests  {text}")
