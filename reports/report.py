"""The report as one struct: a field for each section, in the order in which terminal and page show them.

`msgspec.to_builtins` of it is report.json. A section's field has the section's name and the type that its function
returns; `registry.check` sees to that.
"""

import msgspec

from .manifest import Json
from .percentile import Groups
from .sections.closes import Closes
from .sections.contents import Contents
from .sections.fitness import RunFitness
from .sections.growth import Growth
from .sections.held_up import HeldUp
from .sections.ledger import Ledger
from .sections.patterns import Pattern
from .sections.recovery import Recovery
from .sections.rejections import Rejections
from .sections.requests import Requests
from .sections.run import Run
from .sections.source import ManifestShown
from .sections.stale import Stale
from .sections.storms import Storm
from .sections.strays import Strays
from .sections.timeline import Timeline
from .sections.tokens import Tokens
from .sections.turnover import Turnover
from .verdict import RunVerdict

REPORT_FORMAT = 1
JUDGED = frozenset(("format", "verdict", "findings", "findings_made", "finding_counts", "not_judged"))
"""The fields that are no sections."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with the endpoint."""

    name: str
    """name of the finding"""
    count: int
    """how many"""
    section: str
    """section of the report that shows more of it"""
    text: str
    """the finding in one sentence"""
    first_s: float | None = None
    """when first, since the run began; `null`: not known"""
    whom: str = ""
    """which sessions or rooms, where that is known"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be said about a run. Times are milliseconds unless the name says otherwise."""

    format: int
    """1"""
    verdict: RunVerdict
    """the verdict on the endpoint by a budget, and beside it whether the generator was fit"""
    run: Run
    """what was run, and how it ended"""
    findings: list[Finding]
    """what is wrong with the endpoint"""
    findings_made: int
    """number of findings"""
    finding_counts: dict[str, int | None]
    """count of each finding by name; `null`: not judged"""
    not_judged: dict[str, str]
    """why a finding was not judged, by name"""
    requests: dict[str, dict[str, Requests]]
    """what became of every request but bursts, by action and way (`ws`, `rest`, `poll`)"""
    figures: dict[str, Groups]
    """how long things took, by name and group"""
    patterns: list[Pattern] | None
    """the scenarios of a mixed run side by side; `null` when there is only one"""
    timeline: Timeline
    """what happened in each second of the run"""
    ledger: Ledger
    """who should have got which message, and what became of it"""
    contents: Contents
    """whether deliveries have the text and the sender's name of their message"""
    recovery: Recovery | None
    """what became of lost connections; `null` when none was lost"""
    storms: list[Storm]
    """mass drops, and how many sessions were back after how long"""
    stale: Stale | None
    """which dropped connections the endpoint detected; `null` without `[observe]`"""
    rejections: Rejections
    """what was refused, rightly and wrongly"""
    growth: list[Growth]
    """memory and descriptors over the load; empty for a short one"""
    turnover: Turnover | None
    """the endpoint's memory for each connection that ended; `null`: not read, or too few ended"""
    closes: Closes
    """how connections ended that we did not end"""
    tokens: Tokens | None
    """connections whose token expired; `null`: no expiry is known"""
    held_up: HeldUp | None
    """deliveries that were late while a client did not read; `null`: every client read"""
    strays: Strays
    """frames that fitted nothing that we did"""
    fitness: RunFitness
    """whether the run can be judged"""
    outcomes: dict[str, dict[str, int]]
    """number of operations by kind and outcome"""
    evidence: list[Json]
    """what the endpoint said: refusals, close reasons, errors (at most 50)"""
    manifest: ManifestShown
    """plan (credentials masked), digest, topology, host, versions, source of stamps"""
