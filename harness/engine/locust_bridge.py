"""The one module that touches Locust's insides. `tests/engine/test_locust_bridge.py` names each that it needs.

    take_over      the loop that runs a user's tasks: our waiting in place of Locust's
    one_class_of   one class for Locust that makes users of several scenarios, in the plan's order

Nothing else imports `locust.user.task`, or uses a name of Locust's that begins with an underscore.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from locust import User
from locust.user.task import LOCUST_STATE_STOPPING

Kind = TypeVar("Kind", bound=User)


def take_over(user: User, rest: Callable[[float], None]) -> None:
    """Run this user's tasks by a loop of ours; to be called from its `on_start`.

    Locust yields to the hub after each task: a scenario has waited in `pace`, and a switch more costs as much as a
    send. Its loop itself costs as much as a message. Sets of tasks (classes) still run by Locust's loop.

    Args:
        user: whose tasks.
        rest: called after each task, with Locust's wait in seconds.
    """
    tasks: Any = user._taskset_instance
    tasks._sleep = rest
    if not any(isinstance(each, type) for each in user.tasks):
        tasks.execute_task = lambda chosen: _repeat(user, chosen, rest)


def _repeat(user: Any, chosen: Callable[[Any], None], rest: Callable[[float], None]) -> None:
    """What Locust takes for one task is all of them, over and over.

    What a task raises ends this and is Locust's to judge, which then begins it again.
    """
    tasks = user.tasks
    while True:
        chosen(user)
        rest(0)
        if user._state == LOCUST_STATE_STOPPING:
            return
        if len(tasks) > 1:
            chosen = random.choice(tasks)  # as Locust does


def one_class_of(
    base: type[Kind], users: Sequence[type[Kind]], next_index: Callable[[Any], int]
) -> type[Kind]:  # fmt: skip
    """A class whose instances are, one by one, of one of these classes.

    Locust decides by its own rules how many users there are of each class that it is given. It counts users by the
    names of their classes, so all of these have one name.

    Args:
        base: what all of `users` derive from.
        users: one class per scenario.
        next_index: the place in `users` of the next instance, given its Locust environment.
    """

    def next_one(kind: type[Kind], environment: Any) -> Kind:
        made: Kind = object.__new__(variants[next_index(environment)])
        return made

    make: Any = type(base)
    mixed: type[Kind] = make("Mixed", (base,), {"abstract": False, "__new__": next_one})
    variants: list[type[Kind]] = [make("Mixed", (user, mixed), {}) for user in users]
    mixed.tasks = users[0].tasks  # never run, but Locust warns of a class without any
    return mixed
