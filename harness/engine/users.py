"""RealtimeUser: a Locust user that owns one session or a crowd. Scenarios derive from it and write `@task` methods.

    class Chat(RealtimeUser):
        @task
        def say(self):
            due = self.pace()  # first: it says whose turn it is
            self.publish(self.room, self.text, due)

It must not know sockets or records. The subtle things: `pace` waits for the next absolute due time inside the task
(Locust's own wait functions lose messages after a stall, DESIGN decision 3), of whichever of its clients is due first,
and makes that one current, so the same code drives one session or ten thousand. And the hooks (`on_connect`,
`on_joined`, `on_disconnect`, whatever is told `done`) run in the hub, with their client current for as long: they
must not wait.
"""

import random
import traceback
import weakref
from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from pathlib import Path
from typing import Any

from gevent import get_hub, getcurrent
from locust import User, task
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_STOPPING

from ..client.lifecycle import Client
from ..client.receipts import Done
from ..client.run_context import State
from ..client.session import Session
from ..errors import RunFailed, SquallError
from ..record.row import Outcome
from ..schedule.pacing import NOT_YET, Pace, Thinking
from ..transport.clock import Timer
from ..units import SECOND
from .generator import Generator

AWAY_NS = 250_000_000
"""How often a client of a closed loop that is away looks whether it may speak again."""

SOON_NS = 50_000
"""No timer wakes anybody sooner than that."""

READY = State.READY  # looked up once: an enum's member takes 70 ns in Python 3.11

SPUN_NS = 3_000
"""Looking again until then costs less than a timer."""

BURST = 64
"""So many messages are sent in a row at most before the hub may look at what has arrived."""

__all__ = ["RealtimeUser", "attach", "attached", "detach", "scenario_broke", "task"]

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


class RealtimeUser(User):
    """One client or many (`load.sessions_per_user`); `client` is the current one.

    `session`, `rooms` (that the plan puts it into) and `room` (the first of them) are the current client's; `text` is
    a payload of the plan's size.
    """

    abstract = True
    pattern = "websocket"
    """How the clients of a scenario talk: `websocket`, `polling` (post and poll by REST) or `hybrid` (post by REST)."""
    needs_rooms = False
    """Whether a scenario makes no sense where there are no rooms (`load.room_sizes` "none")."""
    client: Client
    generator: Generator
    text: str

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        generator = attached(environment)
        self.clients: tuple[Client, ...] = tuple(generator.recruit(self)) if generator is not None else ()
        self._due: list[tuple[int, int, Client]] = []
        self._in_a_row = 0
        self._paced = False
        self.has_paced = False
        """Whether its tasks pace at all: then what falls due is theirs to send."""
        self._hub: Any = get_hub()
        self._sleeper: Any = None
        self._is_waking = False
        self._alarm: Timer | None = None
        """Wakes it; one that is live and early enough is left: looking once too often costs less than a timer."""
        self._awaited = 0
        """In a closed loop: how many clients wait for an answer, and so have no message on the queue."""
        if generator is not None and self.clients:
            self.generator = generator
            self.client = self.clients[0]
            self.text = generator.text

    # -- for scenarios ------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """The current client's session: what it is, for example its `rooms`."""
        return self.client.session

    @property
    def room(self) -> int:
        """The number of the current client's home room; NO_ROOM where there are none."""
        return self.client.room

    @property
    def rooms(self) -> tuple[int, ...]:
        """The rooms that the plan puts the current client into."""
        return self.client.rooms

    @property
    def led(self) -> tuple[int, ...]:
        """Those of its rooms that the current client leads; each room has one leader, whatever process it is in."""
        return self.generator.led_by(self.session)

    def on_connect(self) -> None:
        """Called whenever a connection has opened. Must not wait. By default: join the rooms that the plan says."""
        for room in self.rooms:
            self.join(room)

    def on_joined(self, room: int) -> None:
        """Called whenever a join was acknowledged. Must not wait."""

    def on_disconnect(self) -> None:
        """Called whenever an open connection has ended and the client will try to come back. Must not wait."""

    def shape(self) -> Pace:
        """When the current client's messages are due; asked once, before it opens."""
        return self.generator.pace(self.session)

    def pace(self) -> int:
        """Wait until the next message of any client is due and make that client current.

        Returns:
            The due time (monotonic ns).

        Raises:
            StopUser: the load is over.
        """
        generator, queue, self.has_paced = self.generator, self._due, True
        now = generator.clock.now
        while queue or self._awaited:
            earliest = queue[0][0] if queue else NOT_YET
            if earliest >= generator.load_end_ns and not generator.is_loading:
                break
            if earliest > now():
                if not generator.is_loading:
                    break  # the run has failed
                if earliest > now() + SPUN_NS:
                    self._wait(min(earliest, generator.load_end_ns))
            elif self._in_a_row >= BURST:
                self._wait(0)
            else:
                # What was due before the end of the load is sent after it, when we are late: a plan is never cut.
                self._in_a_row += 1
                client = queue[0][2]
                is_ready = client.state is READY
                if isinstance(client.pace, Thinking) and not (is_ready and client.speaks_from <= now()):
                    self._put_off(client, client.pace)
                    continue
                self._next(client)
                if is_ready and earliest >= client.speaks_from and not generator.is_departing:
                    self.client = client
                    self._paced = True
                    return earliest
                self._abandon(client, earliest)
        generator.over.wait()
        raise StopUser

    def publish(self, room: int, text: str, due: int, done: Done | None = None) -> None:
        """Send one message; its answer is matched and recorded whenever it comes, and `done` told."""
        try:
            self.client.session.publish(room, text, due, done=self._as(done))
        except SquallError as error:
            self._fail(error)

    def join(self, room: int, done: Done | None = None, due: int = 0) -> None:
        """Become a member of a room, trying again while the connection lasts; returns at once.

        `done` hears once how it ended; `due` is when the plan wanted it (0: not planned).
        """
        try:
            self.client.join(room, self._as(done), due)
        except SquallError as error:
            self._fail(error)

    def leave(self, room: int, done: Done | None = None, due: int = 0) -> None:
        """Give up membership of a room; returns at once."""
        try:
            self.client.leave(room, self._as(done), due)
        except SquallError as error:
            self._fail(error)

    def ping(self, done: Done | None = None, due: int = 0) -> None:
        """Ask for an answer at the application's level, as the protocol describes it; recorded when it has come.

        `due` is when the plan wanted it (0: not planned).
        """
        try:
            self.client.session.ping(self._as(done), due)
        except SquallError as error:
            self._fail(error)

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Call `act` so much later with this client current, unless its connection has ended. It must not wait."""
        client, conn = self.client, self.client.session.conn

        def call() -> None:
            if client.session.is_open and client.session.conn == conn and self.generator.is_loading:
                self._act(client, act)

        self.generator.clock.after(round(delay_s * SECOND), call)

    # -- for Locust ---------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Let every client begin its life."""
        if not self.clients:
            raise StopUser
        # Locust yields to the hub after each task; `pace` has waited, and a switch more costs as much as a send.
        tasks: Any = self._taskset_instance
        tasks._sleep = self._rest
        if not any(isinstance(each, type) for each in self.tasks):
            tasks.execute_task = self._repeat
        for client in self.clients:
            self.client = client
            client.pace = self.shape()
            first = client.pace.due_ns(0)
            if first is not None:
                self._due.append((first, client.session.number, client))
            client.begin()
        heapify(self._due)

    def on_stop(self) -> None:
        """Locust takes this user away: its clients leave and close in good order."""
        if self.clients and self.generator.is_loading:
            for client in self.clients:
                client.retire()

    def _repeat(self, chosen: Any) -> None:
        """What Locust takes for one task is all of them, over and over: its loop costs as much as a message.

        What a task raises ends this, is Locust's to judge, and then it begins again.
        """
        tasks = self.tasks
        while True:
            chosen(self)
            self._rest(0)
            if self._state == LOCUST_STATE_STOPPING:
                return
            if len(tasks) > 1:
                chosen = random.choice(tasks)  # as Locust does

    def _rest(self, _seconds: float) -> None:
        paced, self._paced = self._paced, False
        if not paced:
            self._wait(0)  # a task that never paces must not keep the hub from running

    # -- for clients: called in the hub -------------------------------------------------------------------------

    def connected(self, client: Client) -> None:
        """A client's connection is there."""
        self._act(client, self.on_connect)

    def joined(self, client: Client, room: int) -> None:
        """A client has become a member."""
        self._act(client, self.on_joined, room)

    def disconnected(self, client: Client) -> None:
        """A client's connection has ended."""
        self._act(client, self.on_disconnect)

    # -- inside -------------------------------------------------------------------------------------------------

    def _next(self, client: Client) -> None:
        """Take the earliest message, which is this client's, off the queue, and put his next one in its place."""
        client.n = n = client.n + 1
        following = client.pace.due_ns(n) if client.pace is not None else None
        if following is None:
            heappop(self._due)
        elif following == NOT_YET:
            heappop(self._due)
            self._awaited += 1
        else:
            heapreplace(self._due, (following, client.session.number, client))

    def _abandon(self, client: Client, due: int) -> None:
        """Record a message that was due and could not be sent; what falls due before one has begun never counts."""
        self._ended(client)
        if due >= client.speaks_from:
            try:
                client.session.abandon(client.room, due)
            except SquallError as error:
                self._fail(error)

    def _as(self, done: Done | None) -> Done | None:
        """`done`, to be told with the present client current; in a closed loop the next message waits for it, too."""
        client = self.client
        if isinstance(client.pace, Thinking):
            if done is None:
                return lambda outcome, code: self._ended(client)
            told = done
            return lambda outcome, code: self._answered(client, told, outcome, code)
        if done is None:
            return None
        return lambda outcome, code: self._act(client, done, outcome, code)

    def _answered(self, client: Client, done: Done, outcome: Outcome, code: int) -> None:
        self._ended(client)
        self._act(client, done, outcome, code)

    def _put_off(self, client: Client, pace: Thinking) -> None:
        """In a closed loop: the client cannot speak now, and looks again a little later."""
        pace.put_off(max(self.generator.clock.now() + AWAY_NS, client.speaks_from))
        due = pace.due_ns(client.n)
        if due is None:
            heappop(self._due)
        else:
            heapreplace(self._due, (due, client.session.number, client))

    def _ended(self, client: Client) -> None:
        """In a closed loop: what the client did last is over, and its next message can be put on the queue."""
        pace = client.pace
        if not isinstance(pace, Thinking):
            return
        now = self.generator.clock.now()
        due = pace.ended(client.n - 1, now)
        if due == NOT_YET:
            return
        self._awaited -= 1
        if due is None:
            return
        heappush(self._due, (due, client.session.number, client))
        hub = self._hub
        if due > now + SOON_NS or getcurrent() is not hub:
            self.generator.clock.at(due, self._wake)
        elif not self._is_waking:
            # Flat out, a timer for each message would cost as much as the message; who is woken too soon sets one. And
            # answering a round of answers together, once all are read, lets the endpoint sleep once a round.
            self._is_waking = True
            hub.loop.run_callback(self._wake)

    def _act(self, client: Client, act: Callable[..., None], *arguments: Any) -> None:
        """Let the scenario act for a client; what it raises ends the run, since the hub would swallow it."""
        before, self.client = self.client, client
        try:
            act(*arguments)
        except BaseException as error:  # noqa: BLE001
            self.generator.fail(scenario_broke(error))
        finally:
            self.client = before

    def _wait(self, until_ns: int) -> None:
        """Let the hub run, until then."""
        sleeper = getcurrent()
        if sleeper is self._hub:
            raise RunFailed("pace() was called from a hook (on_connect, done, ...), which must not wait")
        self._in_a_row = 0
        alarm = self._alarm
        if alarm is None or alarm.due_ns > until_ns or not alarm.is_live:
            if alarm is not None:
                alarm.cancel()
            self._alarm = self.generator.clock.at(until_ns, self._wake)
        self._sleeper = sleeper
        try:
            self._hub.switch()
        finally:
            self._sleeper = None

    def _wake(self) -> None:
        self._is_waking = False
        if self._sleeper is not None:
            self._sleeper.switch()

    def _fail(self, error: SquallError) -> None:
        """What fails on our side (a full disk) ends the run, not only this user's task."""
        self.generator.fail(error)
        raise StopUser from None


def scenario_broke(error: BaseException) -> SquallError:
    """What is said of an exception that a scenario's code let out."""
    if isinstance(error, SquallError):
        return error
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    return RunFailed(f"the scenario broke: {type(error).__name__}: {error} ({where})")
