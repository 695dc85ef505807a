"""Waiting for something to happen, with a deadline: what never happens fails here, and where it was waited for.

The deadline is for a machine that is busy with something else; nobody waits longer than it takes.
"""

import time
from collections.abc import Callable

PATIENCE_S = 60.0
STEP_S = 0.01


def until(happened: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Look again and again until `happened` gives something true.

    Raises:
        AssertionError: it had not happened after `within_s` seconds.
    """
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, f"it has not happened within {within_s:g} s"
        time.sleep(STEP_S)
