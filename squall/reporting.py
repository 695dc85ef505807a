"""The one door from the command line to `reports`, which is found by location (`squall.location`)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports import build, gate, terminal, write
else:
    from .location import load

    build, gate, terminal, write = (load(f"reports.{name}") for name in ("build", "gate", "terminal", "write"))

__all__ = ["build", "gate", "terminal", "write"]
