"""How the terminal shows how long things took."""

from collections.abc import Iterator

from rich.table import Table

from ..compared import COUNTS, FIGURES
from ..figures import FIGURES as ALL_FIGURES
from ..percentile import Groups
from ..sections.patterns import Pattern
from .lines import Line, lines, milliseconds, table


@lines("figures")
def figures(figures: dict[str, Groups]) -> Iterator[Line | Table]:
    """Every figure that has samples."""
    made = table("milliseconds", "count", "p50", "p95", "p99", "p99.9", "max")
    for name, one in ALL_FIGURES.items():
        times = getattr(figures[name], one.shown)
        if one.label and times.count:
            values = (times.p50, times.p95, times.p99, times.p999, times.max)
            made.add_row(one.label, str(times.count), *map(milliseconds, values))
    yield made


@lines("patterns")
def patterns(patterns: list[Pattern] | None) -> Iterator[Line | Table]:
    """The scenarios of a mixed run, one column each."""
    if not patterns:
        return
    made = table("side by side", *(one.scenario if one.scenario == one.pattern else f"{one.scenario} ({one.pattern})"
                                   for one in patterns))  # fmt: skip
    for name, label, _ in FIGURES:
        for share in ("p50", "p99"):
            values = (getattr(getattr(one.figures, name), share) for one in patterns)
            made.add_row(f"{label} {share}", *map(milliseconds, values))
    for name, label in COUNTS:
        counts = (getattr(one, name) for one in patterns)
        made.add_row(label, *("" if count is None else str(count) for count in counts))
    yield made
