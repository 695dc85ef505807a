"""The one door from the command line and `open_run` to `reports`, which is found by location (`squall.location`)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports import build, documented, figures, gate, ledger, recognition, rows, schemas, terminal, write

__all__ = ["build", "documented", "figures", "gate", "ledger", "recognition", "rows", "schemas", "terminal", "write"]

if not TYPE_CHECKING:

    def __getattr__(name):
        """A module of `reports`, loaded when it is first asked for."""
        from .location import load

        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return load(f"reports.{name}")
