"""Tables: printed while a benchmark runs, and kept in benchmarks/results/ with the machine, the versions and the date.

It must not know what the figures are. The subtle thing: a figure without its machine and its noise is hearsay, so the
load average at the beginning stands in every file: a busy machine shows.
"""

import importlib.metadata
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

RESULTS = Path(__file__).resolve().parent / "results"
OURS = ("squall", "websockets", "gevent", "locust", "msgspec")

WIDE = 160
"""Columns, where the output goes to a file."""

console = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)


class Table:
    """Rows of text under headings."""

    def __init__(self, title: str, columns: Sequence[str]) -> None:
        self.title = title
        self.columns = tuple(columns)
        self.rows: list[tuple[str, ...]] = []

    def add(self, *cells: object) -> None:
        """One row; None is an absent figure."""
        self.rows.append(tuple("-" if cell is None else str(cell) for cell in cells))

    def show(self) -> None:
        """To the terminal."""
        table = RichTable(title=self.title, title_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)

    def markdown(self) -> str:
        """For a file."""
        ruler = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [f"**{self.title}**", "", *(_line(cells) for cells in (self.columns, ruler, *self.rows))]
        return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def say(text: str) -> None:
    """One line of progress."""
    console.print(text)


def keep(name: str, heading: str, parts: Sequence["Table | str"], *, command: str, versions: Sequence[str] = (),
         load_before: float, quick: bool = False) -> Path | None:  # fmt: skip
    """Write benchmarks/results/NAME.md; a quick run proves that the benchmark works and is not kept.

    Returns:
        The file; None when nothing was kept.
    """
    if quick:
        say("quick: nothing kept in benchmarks/results")
        return None
    facts = [
        f"- date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- machine: {_machine()}; load average before: {load_before:.2f}",
        f"- versions: {', '.join([_python(), *map(_version, OURS), *versions])}",
        f"- command: `{command}`",
    ]
    text = [f"# {heading}", "", *facts]
    for part in parts:
        text += ["", part.markdown() if isinstance(part, Table) else part]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    path.write_text("\n".join(text) + "\n")
    say(f"kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return path


def load_average() -> float:
    """Of the last minute."""
    return os.getloadavg()[0]


def _machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}"


def _python() -> str:
    """With where it lies: who built it makes 6 to 8 %."""
    return f"Python {platform.python_version()} ({Path(sys.executable).resolve()})"


def _version(name: str) -> str:
    return f"{name} {importlib.metadata.version(name)}"


def middle(values: Sequence[float | None]) -> float | None:
    """The median of those that are there."""
    there = [value for value in values if value is not None]
    return statistics.median(there) if there else None


def figure(value: float | None, digits: int = 1) -> str | None:
    """A number as text; None stays absent."""
    return None if value is None else f"{value:,.{digits}f}"


def spread(values: Sequence[float | None], digits: int = 1) -> str | None:
    """The median, with the least and the most."""
    there = [value for value in values if value is not None]
    if not there:
        return None
    if len(there) == 1:
        return f"{there[0]:,.{digits}f}"
    return f"{statistics.median(there):,.{digits}f} ({min(there):,.{digits}f}-{max(there):,.{digits}f})"
