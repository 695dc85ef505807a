"""One client's life: it opens when due, joins, is dropped, comes back, and departs; without a greenlet of its own.

It tells its owner (the user) that a connection is open, and the owner asks for rooms. Subtle: everything here runs in
hub callbacks and returns at once, waiting is a timer on the agenda; and an operation that began on one connection may
end on another, so each later callback checks that its connection is still the current one.

Longer than other modules, because coming, going and joining act on one state, and one object fewer per session saves
memory with ten thousand sessions.
"""

import time
from typing import Any

from ..record.row import NO_ROOM, Closer, Kind, Outcome
from ..schedule.pacing import Pace, planned
from ..transport.clock import Timer
from ..transport.websocket import Arrival, Ending, Refusal
from . import reconnect
from .receipts import Done
from .run_context import ClientOwner, RunContext, State
from .session import Session

JUST_DUE_NS = 50_000_000
"""What fell due so shortly before the load ended could not be got to."""


class Joining:
    """One membership asked for and not yet had; `refused` for good when trying again is of no use."""

    __slots__ = ("attempt", "due", "refused", "told")

    def __init__(self, due: int) -> None:
        self.attempt = 0
        self.due = due
        self.refused = False
        self.told: tuple[Done, ...] = ()


class Client:
    """One seat of the run; `session` carries out what it wants.

    `rooms` are those that the plan puts it into; `n` counts the messages of its `pace` (None: nothing is planned) that
    have been taken; `scratch` is the scenario's own.
    """

    __slots__ = (
        "_attempt", "_had_another", "_is_owed", "_joining", "_life", "_lost", "_owner", "_run", "_seat_timer",
        "_timer", "_wanted", "due", "n", "pace", "rooms", "scratch", "session", "speaks_from", "state",
    )  # fmt: skip

    def __init__(self, session: Session, rooms: tuple[int, ...], run: RunContext, owner: ClientOwner) -> None:
        self.session = session
        session.listener = self
        self.rooms = rooms
        self.scratch: Any = None
        self.state = State.WAITING
        self.pace: Pace | None = None
        self.n = 0
        self.speaks_from = 0
        self.due = 0
        """When the present connection was due to open."""
        self._run = run
        self._owner = owner
        self._life = 0
        self._had_another = False
        """Whether the last opening was refused because of its token, so that this one uses another."""
        self._is_owed = False
        """Whether a fresh session is due on this seat and waits for the connection before it to be over."""
        self._attempt = 0
        self._lost: tuple[int, Closer] | None = None
        self._wanted: tuple[int, ...] = ()
        self._joining: dict[int, Joining] | None = None
        self._timer: Timer | None = None
        self._seat_timer: Timer | None = None

    @property
    def room(self) -> int:
        """Its home room; NO_ROOM where there are none."""
        return self.rooms[0] if self.rooms else NO_ROOM

    @property
    def is_ready(self) -> bool:
        """Whether its messages may be sent: open, and every join of this connection's beginning acknowledged."""
        return self.state is State.READY

    def missed(self, until_ns: int) -> int:
        """How many messages fell due before `until_ns` and were not taken; none where the owner never paces."""
        if self.pace is None or not self._owner.has_paced:
            return 0
        return planned(self.pace, until_ns, self.n, self.speaks_from)

    def is_overdue(self, before_ns: int) -> bool:
        """Whether a message has been due since before `before_ns` and was not taken."""
        if self.pace is None or not self._owner.has_paced:
            return False
        due = self.pace.due_ns(self.n)
        return due is not None and max(due, self.speaks_from) < before_ns

    def begin(self) -> None:
        """Wait for the first opening to fall due."""
        self.due, _, self.speaks_from = self._run.seat_ns(self.session.number, self._life)
        self._timer = self._run.clock.at(self.due, self._take_seat)

    # -- coming and going ---------------------------------------------------------------------------------------

    def _take_seat(self) -> None:
        """A session is due on this seat: the first, or a fresh one, which remembers nothing."""
        self._timer = None
        self._is_owed = not self.session.is_free
        if self._is_owed or not self._run.is_loading:
            return
        self.due, departs, self.speaks_from = self._run.seat_ns(self.session.number, self._life)
        self._attempt, self._lost, self._wanted, self._joining, self.scratch = 0, None, (), None, None
        self._had_another = False
        self.session.forget()
        if departs is not None:
            self._seat_timer = self._run.clock.at(departs, self._departs)
        self._open()

    def _departs(self) -> None:
        """The stay is over: leave and close in good order, and let the seat be taken again if the plan says so."""
        self._seat_timer = None
        if not self._run.is_loading:
            return
        self._cancel()
        self._life += 1
        due, _, self.speaks_from = self._run.seat_ns(self.session.number, self._life)
        if due >= 0:
            self._timer = self._run.clock.at(due, self._take_seat)
        self._depart()

    def retire(self) -> None:
        """Go for good, in good order, with nothing more planned; harmless when it has gone."""
        self._cancel()
        self._is_owed = False
        self.pace = None
        self._depart()

    def _depart(self) -> None:
        self._recovered(Outcome.ABANDONED)
        self.state = State.GONE if self.session.is_free else State.LEAVING
        if self.session.is_open:
            self.session.depart()
        else:
            self.session.abort()

    def load_over(self) -> None:
        """The load is over: the client does not come back, and is recorded as away if it is."""
        self._cancel()
        if self.state is State.WAITING and self.due <= self._run.clock.now() - JUST_DUE_NS:
            self.session.skip(self.due)
        if self.state in (State.WAITING, State.AWAY):
            self._recovered(Outcome.ABANDONED)
            self.state = State.GONE

    def _cancel(self) -> None:
        for timer in (self._timer, self._seat_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._seat_timer = None

    # -- what the session tells ---------------------------------------------------------------------------------

    def _open(self) -> None:
        self._timer = None
        if not self._run.is_loading:
            self.load_over()
            return
        self.state = State.OPENING
        self.session.open(self.due)

    def opened(self) -> None:
        """A connection is there."""
        self._had_another = False
        if not self._run.is_loading:
            self.state = State.OPEN
            self._recovered(Outcome.ABANDONED)
            if self._run.is_departing:  # it was not open when all sessions were asked to leave
                self.state = State.LEAVING
                self.session.depart()
            return
        self._joining = None
        remembered = not self._run.policy.resubscribe
        for room in self._wanted:
            if self.session.is_open:
                self._ask(room, Joining(0), remembered=remembered)
        if self.session.is_open:
            self._owner.connected(self)
        if self.state is State.OPENING:  # nothing that was sent has ended it
            self.state = State.OPEN
            self._ready_if_joined()

    def refused(self, why: Refusal, again: bool = False) -> None:
        """It did not open: try again later, unless that is pointless.

        Args:
            why: the refusal.
            again: there will be another token, so one more attempt makes sense.
        """
        if self._gone_after():
            return
        run = self._run
        again, self._had_another = again and not self._had_another, again
        if not again and reconnect.is_terminal_refusal(run.policy, why.outcome, why.code):
            self._give_up(Outcome.REJECTED, why.code)
        else:
            asked_ns = reconnect.retry_after_ns(run.policy, why.headers, time.time()) if why.headers else 0
            self._try_later(asked_ns, why.code)

    def closed(self, end: Ending, when: Arrival) -> None:
        """A connection has ended."""
        joining, self._joining = self._joining, None
        for waiting in (joining or {}).values():
            _tell(waiting, Outcome.CLOSED, end.code)
        if self._gone_after():
            return
        if self._lost is None:
            self._lost = (end.began or when.arrived, end.closer)
        self.state = State.AWAY
        self._owner.disconnected(self)
        terminal = reconnect.is_terminal_close(self._run.policy, end.closer, end.code)
        if terminal and not self.session.token_has_expired:
            self._give_up(Outcome.REJECTED, end.code)
        else:
            self._try_later(0, end.code)

    def _gone_after(self) -> bool:
        """Whether the connection that is over was the last one for now."""
        if self.state in (State.LEAVING, State.GONE):
            self.state = State.GONE
            if self._is_owed:
                self._take_seat()
            return True
        if not self._run.is_loading:
            self._recovered(Outcome.ABANDONED)
            self.state = State.GONE
            return True
        return False

    # -- trying again -------------------------------------------------------------------------------------------

    def _try_later(self, asked_ns: int, code: int) -> None:
        policy, clock = self._run.policy, self._run.clock
        attempt, self._attempt = self._attempt, self._attempt + 1
        if policy.max_attempts is not None and attempt >= policy.max_attempts:
            self._give_up(Outcome.EXPIRED, code)
            return
        self.state = State.AWAY
        self.due = clock.now() + max(asked_ns, reconnect.pause_ns(policy, attempt, self._run.chance.random()))
        self._timer = clock.at(self.due, self._open)

    def _give_up(self, outcome: Outcome, code: int) -> None:
        self.state = State.GONE
        self._recovered(outcome, code)

    def _recovered(self, outcome: Outcome, code: int = 0) -> None:
        """Record how long it took to come back, or that it did not; nothing when nothing was lost."""
        if self._lost is None:
            return
        (at, closer), self._lost = self._lost, None
        now = self._run.clock.now()
        back = now if outcome is Outcome.OK else 0
        self._run.recorder.row(
            Kind.RECOVERY, outcome, 0, code, self.session.number, self.session.conn, peer=closer, seq=self._attempt,
            sent=at, arrived=back, read=now,
        )  # fmt: skip

    # -- memberships --------------------------------------------------------------------------------------------

    def join(self, room: int, done: Done | None = None, due: int = 0) -> None:
        """Become a member, trying again while the connection lasts; `done` hears once, when that has ended."""
        if not self.session.is_open:
            _call(done, Outcome.CLOSED, 0)
            return
        waiting = self._joining.get(room) if self._joining is not None else None
        if waiting is not None and not waiting.refused:
            waiting.told = (*waiting.told, done) if done is not None else waiting.told
            return
        if room in self._wanted and room in self.session.rooms:
            _call(done, Outcome.OK, 0)
            return
        if room not in self._wanted:
            self._wanted = (*self._wanted, room)
        waiting = Joining(due)
        waiting.told = (done,) if done is not None else ()
        self._ask(room, waiting)

    def leave(self, room: int, done: Done | None = None, due: int = 0) -> None:
        """Give membership up; a join of the same room that is still under way is forgotten."""
        self._wanted = tuple(each for each in self._wanted if each != room)
        waiting = self._joining.pop(room, None) if self._joining else None
        if waiting is not None:
            _tell(waiting, Outcome.ABANDONED, 0)
        self.session.leave(room, done or _ignore, due)
        self._ready_if_joined()  # that join may have been the last one that it waited for

    def _ask(self, room: int, waiting: Joining, *, remembered: bool = False) -> None:
        if self._joining is None:
            self._joining = {}
        self._joining[room] = waiting
        self.session.join(
            room, lambda outcome, code: self._answered(room, waiting, outcome, code), waiting.due,
            remembered=remembered,
        )  # fmt: skip

    def _answered(self, room: int, waiting: Joining, outcome: Outcome, code: int) -> None:
        """A join has ended. What was forgotten meanwhile is not ours any more."""
        if self._joining is None or self._joining.get(room) is not waiting:
            return
        if outcome is Outcome.OK:
            del self._joining[room]
            self._joining = self._joining or None
            self._owner.joined(self, room)
            _tell(waiting, outcome, code)
            self._ready_if_joined()
        elif not self.session.is_open or not self._run.is_loading:
            return  # `closed` tells, or the run is over
        elif reconnect.is_terminal_refusal(self._run.policy, outcome, code):
            waiting.refused = True
            _tell(waiting, outcome, code)
            if self.state is State.OPEN:
                self._recovered(Outcome.REJECTED, code)
        else:
            pause = reconnect.pause_ns(self._run.policy, waiting.attempt, self._run.chance.random())
            waiting.attempt += 1
            waiting.due = 0
            self._run.clock.after(pause, lambda: self._ask_again(room, waiting))

    def _ask_again(self, room: int, waiting: Joining) -> None:
        wanted = self._joining is not None and self._joining.get(room) is waiting
        if wanted and self.state is not State.LEAVING and self._run.is_loading:
            self._ask(room, waiting)

    def _ready_if_joined(self) -> None:
        if self.state is State.OPEN and not self._joining and self._run.is_loading:
            self.state = State.READY
            self._recovered(Outcome.OK)
            self._attempt = 0


def _tell(waiting: Joining, outcome: Outcome, code: int) -> None:
    told, waiting.told = waiting.told, ()
    for done in told:
        done(outcome, code)


def _call(done: Done | None, outcome: Outcome, code: int) -> None:
    if done is not None:
        done(outcome, code)


def _ignore(_outcome: Outcome, _code: int) -> None:
    """In place of a `done` where none was given."""
