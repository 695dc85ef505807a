"""Roster: which sessions one process drives, what the plan wants of each, and the clients that users have taken on."""

from array import array
from collections import deque
from collections.abc import Sequence

from ..client.context import Context
from ..client.lifecycle import Client
from ..client.run_context import ClientOwner, RunContext
from ..client.session import Session
from ..plan import JOIN_GRACE_S, Plan
from ..schedule import arrivals
from ..schedule.mix import Mix
from ..schedule.pacing import Pace, Pacer
from ..schedule.rooms import Rooms
from ..units import SECOND

GRACE_NS = round(JOIN_GRACE_S * SECOND)
NEVER = 1 << 62


class Roster:
    """The sessions of one process; `sessions` holds those that a user has taken on, by number.

    Args:
        start_ns: when the first session of the run is due to open.
        replayed_ns: due times of a `replay`, in ns since the load's start; empty where there is none.
        patterns: how the clients of each scenario talk, by scenario index.
    """

    def __init__(
        self, plan: Plan, context: Context, start_ns: int, load_ns: tuple[int, int], replayed_ns: "array[int]", *,
        rank: int, processes: int, patterns: Sequence[str],
    ) -> None:  # fmt: skip
        self._plan = plan
        self._context = context
        self._start_ns = start_ns
        self._pacer = Pacer(plan.load, plan.seed, *load_ns, replayed_ns)
        self._rooms = Rooms(plan.load, plan.seed)
        self._mix = Mix(plan.load, plan.seed)
        self._patterns = patterns
        self._crowds = deque(self._mix.crowds(plan.load, rank, processes))
        self.seats = array("I", sorted(number for crowd in self._crowds for number in crowd))
        """The numbers of this process's sessions."""
        self.users = len(self._crowds)
        """How many users it takes to drive this process's sessions."""
        self.sessions: dict[int, Session] = {}
        self.clients: list[Client] = []

    # -- what the plan wants ------------------------------------------------------------------------------------

    def seat_ns(self, number: int, life: int) -> tuple[int, int | None, int]:
        """The life-th session (from 0) on a seat, as `RunContext.seat_ns`."""
        load, seed = self._plan.load, self._plan.seed
        due = arrivals.open_due_ns(load, seed, self._start_ns, number)
        for past in range(life):
            stay = arrivals.stay_ns(load, seed, number, past)
            if stay is None or not load.departures.replace:
                return -1, None, NEVER
            due += stay + round(load.departures.replace_after_s * SECOND)
        stay = arrivals.stay_ns(load, seed, number, life)
        waits = load.arrivals.wait_for_all and not life
        return due, due + stay if stay is not None else None, 0 if waits else due + GRACE_NS

    def pace(self, session: Session) -> Pace:
        """When this session's messages are due."""
        return self._pacer.of(session.number)

    def rooms(self, session: Session) -> tuple[int, ...]:
        """The rooms that the plan puts this session into; none when there are no rooms."""
        return self._rooms.of(session.number)

    def led_by(self, session: Session) -> tuple[int, ...]:
        """Those of its rooms that this session leads: it has the lowest number of all that the plan puts there."""
        return self._rooms.led_by(session.number)

    # -- users and their clients --------------------------------------------------------------------------------

    @property
    def next_scenario(self) -> int:
        """The scenario index of the clients that are recruited next; 0 when none are left."""
        return self._mix.of(self._crowds[0][0]) if self._crowds else 0

    def recruit(self, owner: ClientOwner, run: RunContext) -> list[Client]:
        """The next clients of this process, for one user; fewer than the plan gives it, or none, at the end."""
        crowd = []
        for number in self._crowds.popleft() if self._crowds else ():
            pattern = self._context.pattern(self._patterns[self._mix.of(number)])
            session = self.sessions[number] = Session(self._context, number, pattern)
            crowd.append(Client(session, self.rooms(session), run, owner))
        self.clients += crowd
        return crowd

    def load_over(self, now: int) -> None:
        """The load has ended: no session comes back. Records the openings that were due and that no user came for."""
        for client in self.clients:
            client.load_over()
        for number in (each for crowd in self._crowds for each in crowd):
            if (due := self.seat_ns(number, 0)[0]) <= now:
                Session(self._context, number).skip(due)

    # -- all sessions -------------------------------------------------------------------------------------------

    def open_sessions(self) -> list[Session]:
        """Those that have an open connection."""
        return [session for session in self.sessions.values() if session.is_open]

    def missed(self, until_ns: int) -> int:
        """How many messages fell due before `until_ns` and were never handed out."""
        return sum(client.missed(until_ns) for client in self.clients)

    def overdue(self, before_ns: int) -> int:
        """How many clients have had a message due since before `before_ns`: their user is stuck, or starved."""
        return sum(client.is_overdue(before_ns) for client in self.clients)

    def expire(self, now: int, share: int, of: int) -> None:
        """Give up requests that have waited too long, in every `of`-th session from the `share`-th on."""
        for number in self.seats[share::of]:
            session = self.sessions.get(number)
            if session is not None and session.is_waiting:
                session.expire(now)

    def expects(self) -> bool:
        """Whether any session is still being opened, or may still get an answer."""
        return any(session.expects for session in self.sessions.values())

    def give_up(self) -> None:
        """Stop waiting for answers before their time-outs."""
        for session in self.sessions.values():
            session.give_up()

    def abort(self) -> None:
        """Give up every request, and break every connection."""
        self.give_up()
        for session in self.sessions.values():
            session.abort()
