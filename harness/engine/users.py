"""RealtimeUser: a Locust user that owns one session or a crowd. Scenarios derive from it and write `@task` methods.

    class Chat(RealtimeUser):
        @task
        def say(self):
            due = self.pace()  # first: it says whose turn it is
            self.publish(self.room, self.text, due)

`pace` waits inside the task for the next absolute due time of any of its clients and makes that client the current one,
so the same code drives one session or ten thousand. Subtle: the hooks (`on_connect`, `on_joined`, `on_disconnect`,
every `done`) run in the hub, with their client current meanwhile: they must not wait.
"""

from collections.abc import Callable
from typing import Any

from locust import User, task
from locust.exception import StopUser

from ..client.lifecycle import Client
from ..client.receipts import Done
from ..client.session import Session
from ..errors import SquallError
from ..record.row import Outcome
from ..schedule.pacing import Pace, Thinking
from ..units import SECOND
from .attachment import attached
from .breakage import scenario_broke
from .generator import Generator
from .locust_bridge import take_over
from .turns import Turns

__all__ = ["RealtimeUser", "task"]


class RealtimeUser(User):
    """What the sessions of a scenario do; one user owns one client or many (`load.sessions_per_user`).

    Every method acts for the current client: the one whose message `pace` returned, or whose hook is being called.
    The methods return at once, but for `pace`; what became of a request is recorded, and `done` is called with its
    outcome and code (an error's number, a close code or an errno; 0: none).

    Args:
        environment: Locust's; Locust makes the users.
    """

    abstract = True
    pattern = "websocket"
    """How the clients of a scenario talk: `websocket`, `polling` (post and poll by REST) or `hybrid` (post by REST)."""
    needs_rooms = False
    """Whether a scenario makes no sense where there are no rooms (`load.room_sizes` "none")."""
    is_silent = False
    """Whether its sessions publish nothing by design: they hold their connections and listen."""
    client: Client
    """The current client; its `scratch` is the scenario's own, and `n` counts its messages."""
    generator: Generator
    """The run of this process."""
    text: str
    """A payload of the plan's size."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        generator = attached(environment)
        self.clients: tuple[Client, ...] = tuple(generator.recruit(self)) if generator is not None else ()
        """All clients of this user."""
        self._paced = False
        self.has_paced = False
        """Whether its tasks pace at all: then what falls due is theirs to send."""
        if generator is not None and self.clients:
            self.generator = generator
            self.client = self.clients[0]
            self.text = generator.text
            self._turns = Turns(generator.clock, generator.timeline, self._abandon)

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
        """The numbers of the rooms that the plan puts the current client into; the first is its home room."""
        return self.client.rooms

    @property
    def led(self) -> tuple[int, ...]:
        """Those of its rooms that the current client leads; each room has one leader, whatever process it is in."""
        return self.generator.roster.led_by(self.session)

    def on_connect(self) -> None:
        """Called whenever a connection has opened. Must not wait. By default: join the rooms that the plan says."""
        for room in self.rooms:
            self.join(room)

    def on_joined(self, room: int) -> None:
        """Called whenever a join was acknowledged. Must not wait.

        Args:
            room: the number of the room.
        """

    def on_disconnect(self) -> None:
        """Called whenever an open connection has ended and the client will try to come back. Must not wait."""

    def shape(self) -> Pace:
        """When the current client's messages are due; asked once for each client, before it opens.

        Returns:
            By default the plan's pace; its `due_ns(n)` is when message n (from 0) is due, in ns on the monotonic clock,
            None for no more.
        """
        return self.generator.roster.pace(self.session)

    def pace(self) -> int:
        """Wait until the next message of any client is due and make that client current.

        Returns:
            The due time, in ns on the monotonic clock.

        Raises:
            StopUser: the load is over; Locust ends the user by it.
            RunFailed: called from a hook, which must not wait.
        """
        self.has_paced = True
        due = self._turns.take()
        if due is None:
            self.generator.over.wait()
            raise StopUser
        self.client = self._turns.client
        self._paced = True
        return due

    def publish(self, room: int, text: str, due: int = 0, done: Done | None = None) -> None:
        """Send one message; its answer is matched and recorded whenever it comes.

        Args:
            room: the number of the room.
            text: the payload.
            due: when the plan wanted it, in ns on the monotonic clock, as `pace` returns it; 0: it was not planned,
                so it has no send delay.
            done: called once, with the outcome and its code; None: no call.

        Raises:
            StopUser: recording failed on our side (a full disk), which ends the run.
        """
        try:
            self.client.session.publish(room, text, due, done=self._as(done))
        except SquallError as error:
            self._fail(error)

    def join(self, room: int, done: Done | None = None, due: int = 0) -> None:
        """Become a member of a room, trying again while the connection lasts.

        Args:
            room: the number of the room.
            done: called once, when the join has succeeded, was refused for good, or the connection has ended.
            due: when the plan wanted it, in ns on the monotonic clock; 0: it was not planned.

        Raises:
            StopUser: recording failed on our side, which ends the run.
        """
        try:
            self.client.join(room, self._as(done), due)
        except SquallError as error:
            self._fail(error)

    def leave(self, room: int, done: Done | None = None, due: int = 0) -> None:
        """Give up membership of a room; a join of it that is under way is given up, too.

        Args:
            room: the number of the room.
            done: called once, with the outcome and its code; None: no call.
            due: when the plan wanted it, in ns on the monotonic clock; 0: it was not planned.

        Raises:
            StopUser: recording failed on our side, which ends the run.
        """
        try:
            self.client.leave(room, self._as(done), due)
        except SquallError as error:
            self._fail(error)

    def ping(self, done: Done | None = None, due: int = 0) -> None:
        """Ask for an answer at the application's level, as the protocol describes it.

        Args:
            done: called once, with the outcome and its code; None: no call.
            due: when the plan wanted it, in ns on the monotonic clock; 0: it was not planned.

        Raises:
            StopUser: the protocol has no ping, or recording failed on our side; either ends the run.
        """
        try:
            self.client.session.ping(self._as(done), due)
        except SquallError as error:
            self._fail(error)

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Call `act` later with this client current, unless its connection or the load has ended by then.

        Args:
            delay_s: seconds from now.
            act: must not wait.
        """
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
        take_over(self, self._rest)
        for client in self.clients:
            self.client = client
            client.pace = self.shape()
            client.begin()
        self._turns.begin(self.clients)

    def on_stop(self) -> None:
        """Locust takes this user away: its clients leave and close in good order."""
        if self.clients and self.generator.is_loading:
            for client in self.clients:
                client.retire()

    def _rest(self, _seconds: float) -> None:
        paced, self._paced = self._paced, False
        if not paced:
            self._turns.wait(0)  # a task that never paces must not keep the hub from running

    # -- for clients: called in the hub -------------------------------------------------------------------------

    def connected(self, client: Client) -> None:
        """A client's connection is open."""
        self._act(client, self.on_connect)

    def joined(self, client: Client, room: int) -> None:
        """A client has become a member."""
        self._act(client, self.on_joined, room)

    def disconnected(self, client: Client) -> None:
        """A client's connection has ended."""
        self._act(client, self.on_disconnect)

    # -- inside -------------------------------------------------------------------------------------------------

    def _abandon(self, client: Client, due: int) -> None:
        """Record a message that was due and could not be sent."""
        try:
            client.session.abandon(client.room, due)
        except SquallError as error:
            self._fail(error)

    def _as(self, done: Done | None) -> Done | None:
        """`done`, called with the present client current; in a closed loop the next message waits for it, too."""
        client = self.client
        if isinstance(client.pace, Thinking):
            if done is None:
                return lambda outcome, code: self._turns.ended(client)
            told = done
            return lambda outcome, code: self._answered(client, told, outcome, code)
        if done is None:
            return None
        return lambda outcome, code: self._act(client, done, outcome, code)

    def _answered(self, client: Client, done: Done, outcome: Outcome, code: int) -> None:
        self._turns.ended(client)
        self._act(client, done, outcome, code)

    def _act(self, client: Client, act: Callable[..., None], *arguments: Any) -> None:
        """Let the scenario act for a client; what it raises ends the run, since the hub would swallow it."""
        before, self.client = self.client, client
        try:
            act(*arguments)
        except BaseException as error:  # noqa: BLE001
            self.generator.fail(scenario_broke(error))
        finally:
            self.client = before

    def _fail(self, error: SquallError) -> None:
        """What fails on our side (a full disk) ends the run, not only this user's task."""
        self.generator.fail(error)
        raise StopUser from None
