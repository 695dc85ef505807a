"""The verdict of a report: the endpoint's, by a budget, and beside it whether the generator was fit."""

from typing import Literal

import msgspec

from harness.errors import FAIL, PASS, UNFIT

Word = Literal["pass", "fail", "unfit", "inconclusive"]
Result = Literal["pass", "fail", "not judged", "inconclusive"]


class JudgedClause(msgspec.Struct, frozen=True, kw_only=True):
    """One clause of the budget and its result."""

    figure: str
    """path of the figure in report.json"""
    max: float | None = None
    """largest value that passes"""
    min: float | None = None
    """smallest value that passes"""
    equals: float | None = None
    """the only value that passes"""
    value: float | None = None
    """the value; `null`: absent"""
    margin: float | None = None
    """distance to the limit, negative if the limit is exceeded; `null` without a value"""
    result: Result
    """`pass`, `fail`, `not judged` or `inconclusive`"""
    why: str = ""
    """why it is not judged or inconclusive, or how much was looked at"""

    @property
    def limit(self) -> str:
        """The bounds in words."""
        bounds = (("=", self.equals), (">=", self.min), ("<=", self.max))
        return " and ".join(f"{sign} {value:g}" for sign, value in bounds if value is not None)


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """How much a finding that was judged looked at."""

    found: int
    """how many were wrong"""
    looked_at: int
    """how many were looked at"""
    of: str
    """what they are"""


class RunVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on the endpoint, and whether the generator was fit."""

    verdict: Word
    """`pass`, `fail`, `unfit` (the generator could not keep up) or `inconclusive` (too little was judged)"""
    reasons: list[str]
    """why it is not `pass`"""
    fit: bool
    """whether the generator was fit, as `fitness.verdict`"""
    budget: str
    """name of the budget"""
    clauses: list[JudgedClause]
    """every clause of the budget, with its result"""
    judged: dict[str, Looked]
    """the findings that were judged, by name, and how much they looked at; `not_judged` has the others"""
    missing: list[str]
    """findings that the run was to show and that were not judged: a clause on one is inconclusive"""

    @property
    def exit_code(self) -> int:
        """What the command line ends with."""
        return {"pass": PASS, "fail": FAIL}.get(self.verdict, UNFIT)


def unjudged(judged: dict[str, Looked], missing: list[str]) -> RunVerdict:
    """What a report has before it is judged by a budget."""
    return RunVerdict(
        verdict="inconclusive", reasons=[], fit=False, budget="", clauses=[], judged=judged, missing=missing
    )
