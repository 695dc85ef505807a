"""What to report for an unexpected exception: one line, with the place in the code."""

import traceback
from pathlib import Path

from ..errors import RunFailed, SquallError


def generator_broke(error: BaseException) -> SquallError:
    """For one from our own code; one of our errors stays as it is."""
    return _broke("the generator", error)


def scenario_broke(error: BaseException) -> SquallError:
    """For one that a scenario's code let out; one of our errors stays as it is."""
    return _broke("the scenario", error)


def _broke(what: str, error: BaseException) -> SquallError:
    if isinstance(error, SquallError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return RunFailed(f"{what} broke: {type(error).__name__}: {error}{where}")
