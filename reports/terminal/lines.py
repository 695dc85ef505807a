"""`@lines`: registers how the terminal shows a section. The view's parameters name the sections that it shows."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from rich.table import Table
from rich.text import Text


class Line(NamedTuple):
    """One line, and its style."""

    text: str | Text
    style: str | None = None


View = Callable[..., Iterator[Line | Table]]
VIEWS: dict[str, View] = {}
"""The view of each section that the terminal shows."""


def lines(section: str) -> Callable[[View], View]:
    """Register the view of a section."""

    def register(view: View) -> View:
        VIEWS[section] = view
        return view

    return register


def table(first: str, *others: str) -> Table:
    """A table whose first column is text and whose others are numbers."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    made.add_column(first, no_wrap=True)
    for name in others:
        made.add_column(name, justify="right", no_wrap=True)
    return made


def milliseconds(value: float | None) -> str:
    """A figure with as many digits as mean something; "-" when absent."""
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def seconds(value_ms: float | None) -> str:
    """A time in milliseconds as seconds; "-" when absent."""
    return "-" if value_ms is None else f"{value_ms / 1000:.1f}"
