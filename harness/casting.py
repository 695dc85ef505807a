"""Casting: from the names of a plan's scenarios to the one Locust user class of a run.

It must not know sessions. The subtle thing: Locust decides how many users there are of each class it is given, by its
own rules; who plays what is the plan's (`mix`). So with several scenarios Locust gets one class, whose instances turn
out to be users of the scenario that is next.
"""

import importlib
import importlib.util
import inspect
from pathlib import Path
from typing import Any, NamedTuple

from .errors import PlanError
from .patterns.conversation import PATTERNS
from .plan.load import Load
from .users import RealtimeUser, attached


class Cast(NamedTuple):
    """Who plays: the class for Locust; by part, the scenarios' names and how their clients talk."""

    user: type[RealtimeUser]
    names: tuple[str, ...]
    patterns: tuple[str, ...]


def cast(load: Load) -> Cast:
    """The cast of a run.

    Raises:
        PlanError: a scenario cannot be loaded, or wants rooms where there are none.
    """
    users = [load_scenario(name) for name in load.scenarios]
    for name, user in zip(load.scenarios, users, strict=True):
        if user.pattern not in PATTERNS:
            raise PlanError(f'load.scenario: "{name}" has pattern "{user.pattern}"; known are {", ".join(PATTERNS)}')
        if user.pattern == "polling" and not load.room_count:
            raise PlanError(f'load.scenario: "{name}" polls rooms, and the plan has none: change load.room_sizes')
        if user.needs_rooms and not load.room_count:
            raise PlanError(
                f'load.scenario: "{name}" is about rooms, and the plan has none: change load.room_sizes '
                "(a server that sends everything to everybody has one room)"
            )
    user = users[0] if len(users) == 1 else _mixed(users)
    return Cast(user, load.scenarios, tuple(each.pattern for each in users))


def _mixed(users: list[type[RealtimeUser]]) -> type[RealtimeUser]:
    """A class whose instances are, one by one, of the class that the generator says is next.

    All bear one name, since Locust counts users by the name of their class.
    """

    def next_one(kind: type[RealtimeUser], environment: Any) -> RealtimeUser:
        generator = attached(environment)
        chosen = variants[generator.next_part] if generator is not None else variants[0]
        made: RealtimeUser = object.__new__(chosen)
        return made

    make: Any = type(RealtimeUser)
    mixed = make("Mixed", (RealtimeUser,), {"abstract": False, "__new__": next_one})
    variants = [make("Mixed", (user, mixed), {}) for user in users]
    mixed.tasks = users[0].tasks  # never run, but Locust warns of a class without any
    found: type[RealtimeUser] = mixed
    return found


def load_scenario(name: str) -> type[RealtimeUser]:
    """The user class of a scenario: one of ours by name (`reconnect-storm` is in reconnect_storm.py), or a Python file.

    Raises:
        PlanError: there is none, or the file does not hold exactly one RealtimeUser.
    """
    module_name = f"scenarios.{name.replace('-', '_')}"
    try:
        if name.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(name).stem, name)
            if spec is None or spec.loader is None or not Path(name).is_file():
                raise PlanError(f'load.scenario: there is no file "{name}"')
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise PlanError(f'load.scenario: "{name}" needs the module "{error.name}", which is missing') from None
        here = Path(str(importlib.import_module("scenarios").__file__)).parent
        known = ", ".join(sorted(file.stem.replace("_", "-") for file in here.glob("*.py") if file.stem != "__init__"))
        raise PlanError(f'load.scenario: there is no "{name}"; there are: {known}; or give a .py file') from None
    except SyntaxError as error:
        raise PlanError(f'load.scenario: "{name}" is not Python: {error.msg} (line {error.lineno})') from None
    users = [
        kind for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, RealtimeUser) and kind.__module__ == module.__name__ and not kind.abstract
    ]  # fmt: skip
    if len(users) != 1:
        raise PlanError(f'load.scenario: "{name}" must hold exactly one RealtimeUser, it holds {len(users)}')
    return users[0]
