"""What `harness.engine.locust_bridge` needs of Locust's insides, each by name; run in a process of its own.

Prints one JSON object: the name of each thing, and what is wrong with it ("": nothing).
"""

import json
from collections.abc import Callable
from typing import Any

import gevent
import locust
from locust import User, task
from locust.env import Environment
from locust.event import Events
from locust.exception import StopUser

from harness.engine.locust_bridge import one_class_of, take_over

CHECKS: dict[str, Callable[[], None]] = {}


def needs(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def keep(check: Callable[[], None]) -> Callable[[], None]:
        CHECKS[name] = check
        return check

    return keep


def run(kind: type[User]) -> Any:
    """Let Locust run this class until its users end by themselves."""
    environment = Environment(user_classes=[kind], events=Events())
    runner = environment.create_local_runner()
    runner.start(1, spawn_rate=1)
    with gevent.Timeout(5):
        runner.spawning_greenlet.join()
        runner.user_greenlets.join()
    return environment


@needs("locust.user.task.LOCUST_STATE_STOPPING is what User._state becomes when a user is to stop")
def stopping() -> None:
    from locust.user.task import LOCUST_STATE_STOPPING

    states = []

    class Waiting(User):
        @task
        def wait_long(self) -> None:
            states.append(self._state)
            gevent.sleep(0.2)

    environment = Environment(user_classes=[Waiting], events=Events())
    user = Waiting(environment)
    group = gevent.pool.Group()
    user.start(group)
    gevent.sleep(0.05)
    user.stop(force=False)
    assert user._state == LOCUST_STATE_STOPPING, f"it is {user._state!r}"
    assert states and states[0] != LOCUST_STATE_STOPPING
    group.join(5)


@needs("User._taskset_instance is there in on_start")
def taskset_instance() -> None:
    seen = []

    class Starting(User):
        def on_start(self) -> None:
            seen.append(self._taskset_instance)
            raise StopUser

        @task
        def never(self) -> None: ...

    run(Starting)
    assert seen and hasattr(seen[0], "run"), seen


@needs("TaskSet._sleep(seconds) is how a user waits after a task")
def sleep() -> None:
    rested = []

    class Resting(User):
        def on_start(self) -> None:
            self._taskset_instance._sleep = rested.append

        def wait_time(self) -> float:
            return 7.5

        @task
        def end(self) -> None:
            if rested:
                raise StopUser

    run(Resting)
    assert rested == [7.5], rested


@needs("TaskSet.execute_task(task) runs a task that was chosen from User.tasks")
def execute_task() -> None:
    executed = []

    class Executing(User):
        def on_start(self) -> None:
            self._taskset_instance.execute_task = self.execute

        def execute(self, chosen: Any) -> None:
            executed.append(chosen)
            raise StopUser

        @task
        def act(self) -> None: ...

    run(Executing)
    assert executed == Executing.tasks == [Executing.act], executed


@needs("take_over runs tasks over and over, rests after each, and ends when Locust stops the user")
def taken_over() -> None:
    acted, rested = [], []

    class Taken(User):
        def on_start(self) -> None:
            take_over(self, self.rest)

        def rest(self, seconds: float) -> None:
            rested.append(seconds)
            gevent.sleep(0)

        @task
        def act(self) -> None:
            acted.append(self)
            if len(acted) == 5:
                self.stop(force=False)

    run(Taken)
    assert len(acted) == len(rested) == 5, (len(acted), rested)


@needs("a set of tasks still runs by Locust's own loop")
def task_sets() -> None:
    acted = []

    class Sets(locust.TaskSet):
        @task
        def act(self) -> None:
            acted.append(self.user)
            raise StopUser

    class Owner(User):
        tasks = [Sets]

        def on_start(self) -> None:
            take_over(self, lambda seconds: None)

    run(Owner)
    assert [type(user) for user in acted] == [Owner], acted


@needs("the metaclass of User makes classes by name, bases and dict, and cls(environment) calls __new__")
def one_class() -> None:
    acted: list[str] = []

    class Base(User):
        abstract = True

    def scenario(name: str) -> type[Base]:
        def act(self: User) -> None:
            acted.append(name)
            raise StopUser

        return type(Base)(name, (Base,), {"act": task(act)})

    turn = iter([1, 0, 1])
    mixed = one_class_of(Base, [scenario("first"), scenario("second")], lambda environment: next(turn))
    counts: dict[str, int] = {}
    environment = Environment(user_classes=[mixed], events=Events())
    runner = environment.create_local_runner()
    runner.start(3, spawn_rate=3)
    with gevent.Timeout(5):
        runner.spawning_greenlet.join()
        counts = dict(runner.user_classes_count)
        runner.user_greenlets.join()
    assert sorted(acted) == ["first", "second", "second"], acted
    assert list(counts) == ["Mixed"], counts


def wrong_with(check: Callable[[], None]) -> str:
    try:
        check()
    except BaseException as error:  # noqa: BLE001 - whatever Locust does then is what is wrong
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    print(json.dumps({name: wrong_with(check) for name, check in CHECKS.items()}))
