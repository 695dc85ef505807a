"""Our own failures, as a small hierarchy. The endpoint's failures are values (an Outcome in a record), never these.

    SquallError                 anything a user can cause; its text is the one line they read
    ├── UsageError              wrong command line or plan; exit code 2
    │   └── PlanError           the plan: names the key, the value and the nearest right one
    ├── RunDirectoryError       a run directory that is absent, foreign, of a newer version, or damaged; exit code 2
    └── RunFailed               the run could not go on (unreachable endpoint, full disk); exit code 3

`SquallError.exit_code` is what the command line ends with.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path

PASS = 0
FAIL = 1
USAGE = 2
UNFIT = 3
"""Unfit or inconclusive: nothing can be said of the endpoint."""


class SquallError(Exception):
    """A failure that ends in one clear line: what, where, and what to do."""

    exit_code = USAGE


class UsageError(SquallError):
    """The command line asks for something that cannot be done."""


class PlanError(UsageError):
    """The plan is wrong; the text names the key, the value and what would be right."""


class RunDirectoryError(SquallError):
    """The directory is not a run that this version can read."""


class RunFailed(SquallError):
    """The run could not be made or could not go on; what was recorded is kept.

    Args:
        text: the one line that the user reads.
        directory: the sealed run directory, which can be reported; None: there is none.
    """

    exit_code = UNFIT

    def __init__(self, text: str, directory: Path | None = None) -> None:
        super().__init__(text)
        self.directory = directory


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "", *, like: str = "{}", cutoff: float = 0.5) -> str:
    """The hint behind a misspelt name.

    Args:
        name: as it was written.
        known: the right ones.
        otherwise: what to say where no known name is like it.
        like: how a name is written there.
        cutoff: how alike the two must be, from 0 (anything) to 1 (equal).
    """
    near = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return f'did you mean "{like.format(near[0])}"?' if near else otherwise
