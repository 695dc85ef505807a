"""Codes as a plan writes them: of any JSON type but null, for contracts and errors."""

from math import isfinite
from typing import Any

from ..errors import PlanError

Code = int | str | bool | float | list[Any] | dict[str, Any]
"""What an endpoint says when it refuses: a number, a name, or any other JSON value."""


def check_code(key: str, value: object) -> None:
    """See that a code is JSON: TOML also knows dates, and numbers that JSON has not.

    Raises:
        PlanError: it is not; names the key.
    """
    if value is None or isinstance(value, int | str):
        return
    if isinstance(value, float):
        if not isfinite(value):
            raise PlanError(f"{key}: {value} is not a code: JSON has no such number")
    elif isinstance(value, list | tuple):
        for each in value:
            check_code(key, each)
    elif isinstance(value, dict):
        for each in value.values():
            check_code(key, each)
    else:
        raise PlanError(f"{key}: {value} is not a code: JSON has no dates")
