"""The terminal that commands print on."""

import os
from typing import Any


def console(*, stderr: bool = False) -> Any:
    """A terminal to print on. One that nobody reads any more (`| head`) changes neither the run nor its exit code."""
    from rich.console import Console

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())  # what is buffered goes nowhere

    return Patient(stderr=stderr)
