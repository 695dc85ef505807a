"""Waiting for something to happen, with a deadline: what never happens fails here, and where it was waited for.

The deadline is for a machine that is busy with something else; nobody waits longer than it takes.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 60.0
STEP_S = 0.005

Found = TypeVar("Found")


def until(
    happened: Callable[[], Found], within_s: float = PATIENCE_S, sleep: Callable[[float], object] = time.sleep
) -> Found:
    """Look again and again until `happened` gives something true.

    Args:
        happened: what is looked at.
        within_s: the deadline, in seconds from now.
        sleep: how to wait between two looks; `gevent.sleep` lets the hub run meanwhile.

    Returns:
        What `happened` gave.

    Raises:
        AssertionError: it had not happened after `within_s` seconds.
    """
    deadline = time.monotonic() + within_s
    while not (found := happened()):
        assert time.monotonic() < deadline, f"it has not happened within {within_s:g} s"
        sleep(STEP_S)
    return found


async def until_async(happened: Callable[[], Found], within_s: float = PATIENCE_S) -> Found:
    """The same in an event loop, which runs meanwhile."""
    deadline = time.monotonic() + within_s
    while not (found := happened()):
        assert time.monotonic() < deadline, f"it has not happened within {within_s:g} s"
        await asyncio.sleep(STEP_S)
    return found
