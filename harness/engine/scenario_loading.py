"""Scenario loading: from the names of a plan's scenarios to the one Locust user class of a run.

Locust decides how many users there are of each class that it is given, by its own rules; which session plays which
scenario follows from the plan (`mix`). So with several scenarios Locust gets one class, whose instances turn out to be
users of the scenario that is next.
"""

import inspect
from pathlib import Path
from typing import Any, NamedTuple

from ..client.patterns.conversation import PATTERNS
from ..errors import PlanError
from ..plan.load import Load
from .attachment import attached
from .locust_bridge import one_class_of
from .scenario_files import import_file, import_shipped
from .users import RealtimeUser


class Scenarios(NamedTuple):
    """What the sessions of a run do: the class for Locust; by scenario index the names, patterns and classes."""

    user: type[RealtimeUser]
    names: tuple[str, ...]
    patterns: tuple[str, ...]
    users: tuple[type[RealtimeUser], ...]


def load_scenarios(load: Load, beside: Path | None = None) -> Scenarios:
    """The scenarios of a run; a scenario's file is looked for in the folder `beside` first.

    Raises:
        PlanError: a scenario cannot be loaded, or wants rooms where there are none.
    """
    users = [load_scenario(name, beside) for name in load.scenarios]
    for name, user in zip(load.scenarios, users, strict=True):
        if user.pattern not in PATTERNS:
            raise PlanError(f'load.scenario: "{name}" has pattern "{user.pattern}"; known are {", ".join(PATTERNS)}')
        if user.pattern == "polling" and not load.room_count:
            raise PlanError(f'load.scenario: "{name}" polls rooms, and the plan has none: change load.room_sizes')
        if user.needs_rooms and not load.room_count:
            raise PlanError(
                f'load.scenario: "{name}" is about rooms, and the plan has none: change load.room_sizes '
                "(a server that sends everything to all sessions has one room)"
            )
    user = users[0] if len(users) == 1 else one_class_of(RealtimeUser, users, _next_index)
    return Scenarios(user, load.scenarios, tuple(each.pattern for each in users), tuple(users))


def _next_index(environment: Any) -> int:
    generator = attached(environment)
    return generator.roster.next_scenario if generator is not None else 0


def load_scenario(name: str, beside: Path | None = None) -> type[RealtimeUser]:
    """The user class of a scenario: a shipped one by its name, or the one in a Python file.

    Args:
        name: `chat`, or the path of a `.py` file.
        beside: the plan's folder, in which the file is looked for before the working directory.

    Raises:
        PlanError: there is none, or the file does not hold exactly one RealtimeUser.
    """
    try:
        module = import_file(name, beside) if name.endswith(".py") else import_shipped(name)
    except ModuleNotFoundError as error:
        raise PlanError(f'load.scenario: "{name}" needs the module "{error.name}", which is missing') from None
    except SyntaxError as error:
        raise PlanError(f'load.scenario: "{name}" is not Python: {error.msg} (line {error.lineno})') from None
    users = [
        kind for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, RealtimeUser) and kind.__module__ == module.__name__ and not kind.abstract
    ]  # fmt: skip
    if len(users) != 1:
        raise PlanError(f'load.scenario: "{name}" must hold exactly one RealtimeUser, it holds {len(users)}')
    return users[0]
