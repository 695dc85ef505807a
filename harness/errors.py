"""Our own failures, as a small hierarchy. The endpoint's failures are values (an Outcome in a record), never these.

    SquallError                 anything a user can cause; its text is the one line they read
    ├── UsageError              wrong command line or plan; exit code 2
    │   └── PlanError           the plan: names the key, the value and the nearest right one
    ├── RunDirectoryError       a run directory that is absent, foreign, of a newer version, or damaged; exit code 2
    └── RunFailed               the run could not go on (unreachable endpoint, full disk); exit code 3

`SquallError.exit_code` is what the command line ends with.
"""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

PASS = 0
FAIL = 1
USAGE = 2
UNFIT = 3
"""Unfit or inconclusive: nothing can be said of the endpoint."""

_WORD = re.compile(r"[a-z]+|[0-9]+")


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


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "", *, like: str = "{}") -> str:
    """The hint behind a misspelt name.

    Args:
        name: as it was written.
        known: the right ones.
        otherwise: what to say where no known name is near.
        like: how a name is written there.
    """
    near = [each for each in known if _is_near(name.lower(), each.lower())]
    best = difflib.get_close_matches(name, near, n=1, cutoff=0.0)
    return f'did you mean "{like.format(best[0])}"?' if best else otherwise


def _is_near(name: str, known: str) -> bool:
    """Whether one may be written for the other: by a slip of the keyboard, or because half of its words are right."""
    if _edits(name, known) <= max(1, min(len(name), len(known)) // 4) and min(len(name), len(known)) > 1:
        return True
    words = _WORD.findall(name)
    shared = {word for word in words if len(word) > 2} & {*_WORD.findall(known)}
    return 0 < len(words) <= 2 * len(shared)


def _edits(one: str, other: str) -> int:
    """How many letters must be put in, left out, replaced or swapped with the next to make one text of the other."""
    before, row = [0] * (len(other) + 1), list(range(len(other) + 1))
    for n, letter in enumerate(one, 1):
        last, before, row = before, row, [n]
        for m, wanted in enumerate(other, 1):
            edits = min(before[m] + 1, row[m - 1] + 1, before[m - 1] + (letter != wanted))
            if n > 1 and m > 1 and letter == other[m - 2] and one[n - 2] == wanted:
                edits = min(edits, last[m - 2] + 1)
            row.append(edits)
    return row[-1]
