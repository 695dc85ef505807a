"""The terminal that commands print on."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console(*, stderr: bool = False) -> "Console":
    """A terminal to print on. When its reader has gone (`| head`), neither the run nor its exit code changes."""
    from rich.console import Console

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())  # what is buffered goes nowhere

    return Patient(stderr=stderr)
