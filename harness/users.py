"""RealtimeUser: a Locust user that owns one session. Scenarios derive from it and write `@task` methods.

    class Chat(RealtimeUser):
        def on_connect(self):
            self.join(self.room)

        @task
        def say(self):
            self.publish(self.room, self.text, due=self.pace())

It must not know sockets or records. The subtle thing: `pace` waits for the next absolute due time inside the task
(Locust's own wait functions lose messages after a stall, DESIGN decision 3), and while it waits it keeps the session
up: a connection that ended is opened again with backoff and full jitter, and what was due meanwhile is recorded as
abandoned, never sent late.
"""

import weakref
from collections.abc import Callable
from typing import Any, Protocol

import gevent
from gevent import GreenletExit
from gevent.hub import Waiter
from locust import User
from locust.exception import StopUser

from .clock import SECOND
from .errors import SquallError
from .generator import Generator
from .model import NO_ROOM, Outcome
from .receipts import Done

_GENERATORS: "weakref.WeakKeyDictionary[Any, Generator]" = weakref.WeakKeyDictionary()


def attach(environment: Any, generator: Generator) -> None:
    """Let the users of this Locust environment work for this generator."""
    _GENERATORS[environment] = generator


def detach(environment: Any) -> Generator | None:
    """Take it back; None when there was none."""
    return _GENERATORS.pop(environment, None)


def attached(environment: Any) -> Generator | None:
    """The generator of this environment, if a run is on."""
    return _GENERATORS.get(environment)


class Asks(Protocol):
    """Something that a session is asked to do, telling `done` how it ended."""

    def __call__(self, done: Done) -> None:
        """Begin it."""


class RealtimeUser(User):
    """One client. `rooms` are its rooms by number, `room` the first or NO_ROOM; `text` a payload of the plan's size."""

    abstract = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        generator = attached(environment)
        session = generator.adopt() if generator is not None else None
        if generator is None or session is None:
            self._idle = True
            return
        self._idle = False
        self._waiter: Any = None
        self._n = 0
        self._paced = False
        self.generator = generator
        self.session = session
        self.session.on_change = self._wake
        self._pace = generator.pace(session)
        self.rooms = generator.rooms(session)
        self.room = self.rooms[0] if self.rooms else NO_ROOM
        self.text = generator.text

    # -- for scenarios ------------------------------------------------------------------------------------------

    def on_connect(self) -> None:
        """Called whenever a connection has opened: join rooms here."""

    def pace(self) -> int:
        """Wait until the next message is due, keeping the session up; returns the due time (monotonic ns).

        Raises:
            StopUser: the load is over.
        """
        generator, clock = self.generator, self.generator.clock
        while generator.is_loading:
            if not self.session.is_open:
                self._come_back()
                continue
            due = self._pace.due_ns(self._n)
            if due is None:
                self._wait(generator.load_end_ns)
            elif due <= clock.now():
                self._n += 1
                self._paced = True
                return due
            else:
                self._wait(due)
        generator.over.wait()
        raise StopUser

    def publish(self, room: int, text: str, due: int) -> None:
        """Send one message; its answer is matched and recorded whenever it comes."""
        self._guard(lambda: self.session.publish(room, text, due))

    def join(self, room: int) -> bool:
        """Become a member of a room, trying again while the connection lasts; False when it did not come to be."""
        attempt = 0
        while self.generator.is_loading and self.session.is_open:
            outcome = self._ask(lambda done: self.session.join(room, done))
            if outcome is Outcome.OK:
                return True
            self._pause(attempt)
            attempt += 1
        return False

    def leave(self, room: int) -> bool:
        """Give up membership of a room; False when the endpoint did not confirm it."""
        return self._ask(lambda done: self.session.leave(room, done)) is Outcome.OK

    # -- for Locust ---------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Open when the ramp says so."""
        if self._idle:
            raise StopUser
        # Locust yields to the hub after each task; `pace` has waited, and a switch more costs as much as a send.
        tasks: Any = self._taskset_instance
        tasks._sleep = self._rest
        due = self.generator.open_due_ns(self.session)
        while self.generator.clock.now() < due and self.generator.is_loading:
            self._wait(due)
        if not self._open(due):
            self._pause(0)

    def _rest(self, _seconds: float) -> None:
        paced, self._paced = self._paced, False
        if not paced:
            gevent.sleep(0)  # a task that never paces must not keep the hub from running

    # -- inside -------------------------------------------------------------------------------------------------

    def _come_back(self) -> None:
        """Open again, with exponential backoff and full jitter, until it holds or the load is over."""
        attempt = 0
        while self.generator.is_loading:
            due = self._pause(attempt)
            if self.generator.is_loading and self._open(due):
                break
            attempt += 1
        self._abandon()

    def _open(self, due: int) -> bool:
        if self._ask(lambda done: self.session.open(due, done)) is not Outcome.OK:
            self._abandon()
            return False
        self.on_connect()
        # What fell due before the session was ready was never to be sent.
        self._abandon()
        return self.session.is_open

    def _abandon(self) -> None:
        """Record what was due while there was no connection to send it on."""
        now = self.generator.clock.now()
        while (due := self._pace.due_ns(self._n)) is not None and due <= min(now, self.generator.load_end_ns):
            self._n += 1
            self._guard(lambda due=due: self.session.abandon(self.room, due))  # type: ignore[misc]

    def _pause(self, attempt: int) -> int:
        """Wait a random part of the backoff of this attempt; returns when it was over."""
        load = self.generator.plan.load
        longest_s = min(load.backoff_cap_s, load.backoff_first_s * 2.0 ** min(attempt, 30))
        due = self.generator.clock.now() + round(self.generator.chance.random() * longest_s * SECOND)
        due = min(due, self.generator.load_end_ns)
        while self.generator.clock.now() < due and self.generator.is_loading:
            self._wait(due)
            self._abandon_if_down()
        return due

    def _abandon_if_down(self) -> None:
        if not self.session.is_open:
            self._abandon()

    def _wait(self, until_ns: int) -> None:
        """Sleep until a time, or until the session changes."""
        waiter: Any = Waiter()
        self._waiter = waiter
        timer = self.generator.clock.at(until_ns, self._wake)
        try:
            waiter.get()
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.switch(None)

    def _ask(self, asks: Asks) -> Outcome:
        """Begin something and wait for its end."""
        waiter: Any = Waiter()
        self._guard(lambda: asks(lambda outcome, code: waiter.switch(outcome)))
        outcome: Outcome = waiter.get()
        return outcome

    def _guard(self, act: Callable[[], None]) -> None:
        """What fails on our side (a full disk) ends the run, not only this user's task."""
        try:
            act()
        except GreenletExit:
            raise
        except SquallError as error:
            self.generator.fail(error)
            raise StopUser from None
