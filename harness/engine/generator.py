"""The generator: one process's share of a run, from the first opening to the last row.

It must not know Locust, the command line or how a run is sealed. It owns the time line: open (over the ramp), load,
settle (listen), depart (leave and close), over. The subtle thing: whatever goes wrong in a hub callback arrives in
`fail`, which ends the run loudly, since the hub would print and swallow it; what was recorded is kept.
"""

import gc
import random
from array import array
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from ..auth import Access, Fields
from ..client.context import Context
from ..client.lifecycle import Client
from ..client.run_context import ClientOwner
from ..client.session import Session
from ..client.session_log import StatsMirror
from ..client.tally import Snapshot, Tally
from ..errors import RunFailed, SquallError
from ..faults.fault import Schemas
from ..faults.injector import Injector
from ..faults.schedule import most_held
from ..observe.connection_list import Observer
from ..observe.process import ProcessWatch
from ..plan import JOIN_GRACE_S, Plan, Reconnect
from ..record.recorder import Recorder
from ..record.row import Gauge, Kind, Outcome
from ..schedule import arrivals
from ..schedule.mix import Mix
from ..schedule.ownership import owned
from ..schedule.pacing import Pace, Pacer
from ..schedule.replay import replayed
from ..schedule.rooms import Rooms
from ..transport.clock import Clock
from ..transport.connection_options import find_addresses, make_options
from ..transport.options import Address
from ..transport.sockets import Sockets, allow_descriptors
from ..units import MILLISECOND, SECOND
from ..wire import make_dialect
from .self_metrics import Looked, SelfMetrics

TICK_NS = 100 * MILLISECOND
TICKS_A_SAMPLE = 10
CALM_BEFORE_NS = 400 * MILLISECOND
GRACE_NS = round(JOIN_GRACE_S * SECOND)
DEPART_OVER_NS = SECOND
DEPART_AT_ONCE = 32
NEVER = 1 << 62
DEPART_AT_MOST_NS = 8 * SECOND
SPARE_DESCRIPTORS = 256
COLLECTED = (5_000, 500, 1_000)
"""How often the collector looks at which generation: at the youngest for half a millisecond each time."""
YOUNGEST, OLDEST = 0, 2
"""Of the collector's generations."""


class Generator:
    """One process of a run: its rank of so many, its clock, shard and sessions.

    Which sessions are its own `Mix.crowds` says.

    Raises:
        RunFailed: the shard cannot be made, the host has no address, or too few descriptors are allowed.
        UsageError: an environment variable, file or source address that the plan names cannot be used.
    """

    def __init__(
        self, plan: Plan, path: Path, nonce: str, start_ns: int, *, rank: int = 0, processes: int = 1,
        schemas: Schemas | None = None, skipped: frozenset[str] = frozenset(),
        mirror: StatsMirror | None = None, addresses: tuple[Address, ...] = (),
        patterns: Sequence[str] = ("websocket",),
    ) -> None:  # fmt: skip
        allow_descriptors(
            len(owned(plan.load, rank, processes)) * _descriptors(plan, patterns)
            + most_held(plan, rank, processes, skipped) + SPARE_DESCRIPTORS
        )  # fmt: skip
        access = Access(plan.endpoint, nonce, plan.load.sessions, witness=self._logged_in, failure=self.fail)
        observer = (
            Observer(plan.observe, plan.endpoint, nonce, access.hiding) if plan.observe.url and rank == 0 else None
        )
        addresses = addresses or find_addresses(plan.endpoint, access.port)
        options = make_options(plan.endpoint, access.port, addresses, access.hiding)
        self.plan = plan
        self.path = path
        self.rank = rank
        self.start_ns = start_ns
        self.load_start_ns = start_ns + round(plan.load_start_s * SECOND)
        self.load_end_ns = start_ns + round(plan.load_end_s * SECOND)
        self.clock = Clock()
        self.clock.failure = self.fail
        self.recorder = Recorder(path, rank, access.conceal)
        self.text = filler(plan.seed, plan.load.payload_bytes)
        self._pacer = Pacer(plan.load, plan.seed, self.load_start_ns, self.load_end_ns, replayed(path))
        self._rooms = Rooms(plan.load, plan.seed)
        self.chance = random.Random(f"{plan.seed}-backoff-{rank}")
        """Shared by all clients for their jitter: one generator each would cost 2.5 KiB a session."""
        self.sessions: dict[int, Session] = {}
        self._clients: list[Client] = []
        self._mix = Mix(plan.load, plan.seed)
        self._patterns = patterns
        self._crowds = deque(self._mix.crowds(plan.load, rank, processes))
        self.seats = array("I", sorted(number for crowd in self._crowds for number in crowd))
        """The numbers of this process's sessions."""
        self.users = len(self._crowds)
        """How many users it takes to drive this process's sessions."""
        self.latest: Snapshot | None = None
        self.over = Event()
        """Set when nothing more will happen: the last session has parted, or the run has failed."""
        self.failure: SquallError | None = None
        self.interrupted = False
        sockets = Sockets(self.clock, self.fail)
        self.metrics = SelfMetrics(plan.fitness, self.clock.now(), stamped=sockets.stamped)
        sockets.read_lags = self.metrics.read_lags
        tally = Tally(
            plan.load.room_count, plan.contract.delivers_to_sender, self.metrics.lags, _slowest_poll_ns(plan, patterns)
        )
        self.context = Context(
            plan, nonce, self.clock, sockets, self.recorder, make_dialect(plan.endpoint),
            access, options, tally, mirror,
        )  # fmt: skip
        self._injector = Injector(self.context, self.sessions, self.text, schemas or {}, skipped)
        self._observer = observer
        self._process = (
            ProcessWatch(plan.observe, plan.endpoint, access.hiding) if plan.observe.metrics and rank == 0 else None
        )
        self._watches: list[Any] = []
        self._ticks = 0
        self._tick_due = 0
        self._load_over = False
        self.is_departing = False
        """Whether it is too late to send what was due: sessions have begun to leave, or the run is broken off."""

    # -- for users ----------------------------------------------------------------------------------------------

    def recruit(self, owner: ClientOwner) -> list[Client]:
        """The next clients of this process, for one user; fewer than the plan gives it, or none, at the end."""
        crowd = []
        for number in self._crowds.popleft() if self._crowds else ():
            pattern = self.context.pattern(self._patterns[self._mix.of(number)])
            session = self.sessions[number] = Session(self.context, number, pattern)
            crowd.append(Client(session, self.rooms(session), self, owner))
        self._clients += crowd
        return crowd

    @property
    def next_scenario(self) -> int:
        """Which scenario the next clients play, by its number in the plan's mix."""
        return self._mix.of(self._crowds[0][0]) if self._crowds else 0

    def seat_ns(self, number: int, life: int) -> tuple[int, int | None, int]:
        """The life-th session on a seat: when it is due to open (-1: never), when to depart (None: it stays), and
        from when on its messages count.
        """
        load, seed = self.plan.load, self.plan.seed
        due = arrivals.open_due_ns(load, seed, self.start_ns, number)
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

    @property
    def policy(self) -> Reconnect:
        """When a session comes back."""
        return self.plan.reconnect

    @property
    def is_loading(self) -> bool:
        """Whether sessions should still be kept up and messages sent."""
        return not self._load_over and self.clock.now() < self.load_end_ns

    # -- the time line ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the time line: chaos, observer, samples, and the end of the load."""
        self._injector.schedule(self.start_ns)
        for watch in (self._observer, self._process):
            if watch is not None:
                self._watches.append(gevent.spawn(watch.run, self.clock, self.recorder, self.fail))
        _calm_collector()  # or it would go through everybody who has opened, again and again, while the rest opens
        self.clock.at(self.load_start_ns - CALM_BEFORE_NS, lambda: _calm_collector(YOUNGEST))
        self.clock.at(self.load_end_ns, self._load_ended)
        self._tick_due = self.clock.now() + TICK_NS
        self.clock.at(self._tick_due, self._tick)

    def interrupt(self) -> None:
        """End the load now, in good order: settle, depart, over."""
        if not self.interrupted and not self.over.is_set():
            self.interrupted = True
            self.load_end_ns = min(self.load_end_ns, self.clock.now())
            self._injector.halt()
            self._load_ended()

    def _load_ended(self) -> None:
        if not self._load_over:
            self._load_over = True
            for client in self._clients:
                client.load_over()
            self._count_absent()
            self.clock.after(round(self.plan.load.settle_s * SECOND), self._depart)

    def _count_absent(self) -> None:
        """Record the openings that were due of sessions that no user has come for."""
        now = self.clock.now()
        for number in (each for crowd in self._crowds for each in crowd):
            if (due := self.seat_ns(number, 0)[0]) <= now:
                Session(self.context, number).skip(due)

    def _depart(self) -> None:
        """Everybody leaves, spread a little so that the endpoint does not see all closes at once."""
        self._injector.lift_all()
        self._count_missed()
        self.is_departing = True
        alive = [session for session in self.sessions.values() if session.is_open]
        now = self.clock.now()
        self._depart_some(alive, DEPART_OVER_NS * DEPART_AT_ONCE // max(1, len(alive)), now)
        self._await_departed(now + DEPART_AT_MOST_NS)

    def _count_missed(self) -> None:
        """Record how many messages were due and never handed out: nobody else will ever know of them."""
        missed = sum(client.missed(self.load_end_ns) for client in self._clients)
        self.recorder.row(Kind.SAMPLE, code=Gauge.MISSED, session=self.rank, seq=missed, arrived=self.load_end_ns)

    def _depart_some(self, alive: list[Session], every_ns: int, due: int) -> None:
        for session in alive[-DEPART_AT_ONCE:]:
            session.depart()
        del alive[-DEPART_AT_ONCE:]
        if alive:
            self.clock.at(due + every_ns, lambda: self._depart_some(alive, every_ns, due + every_ns))

    def _await_departed(self, until_ns: int) -> None:
        if self.clock.now() >= until_ns or not any(session.is_open for session in self.sessions.values()):
            self.over.set()
        else:
            self.clock.after(TICK_NS, lambda: self._await_departed(until_ns))

    def fail(self, error: BaseException) -> None:
        """Something of ours went wrong: remember the first, and end the run at once."""
        if self.failure is None:
            text = f"the generator broke: {type(error).__name__}: {error}{_where(error)}"
            self.failure = error if isinstance(error, SquallError) else RunFailed(text)
        self._load_over = self.is_departing = True
        self.over.set()

    def close(self) -> None:
        """Lift every fault, break what is still open, and close the shard; whatever has happened before.

        Raises:
            RunFailed: the last rows could not be written.
        """
        self._load_over = self.is_departing = True
        try:
            for watch in self._watches:
                watch.kill()
            self._injector.lift_all()
            for session in self.sessions.values():
                session.abort()
                session.expire(NEVER)
            self.context.access.close()
        except RunFailed as error:
            self.failure = self.failure or error
        finally:
            self.clock.close()
            self.metrics.close()
            self.recorder.close()

    def _logged_in(self, whose: Fields, outcome: Outcome, code: int, due: int, began: int, ended: int) -> None:
        self.recorder.row(
            Kind.LOGIN, outcome, code=code, session=whose.session, conn=whose.conn, due=due, sent=began,
            arrived=ended, read=ended,
        )  # fmt: skip

    # -- once in a while ----------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """A tenth of the sessions is looked through each time, so that no look takes long."""
        now = self.clock.now()
        self.metrics.ticked(now - self._tick_due)
        self._ticks += 1
        for number in self.seats[self._ticks % TICKS_A_SAMPLE :: TICKS_A_SAMPLE]:
            session = self.sessions.get(number)
            if session is not None and session.is_waiting:
                session.expire(now)
        if self._ticks % TICKS_A_SAMPLE == 0:
            self._sample(now)
        self._tick_due = max(now, self._tick_due) + TICK_NS
        self.clock.at(self._tick_due, self._tick)

    def _overdue(self, before_ns: int) -> int:
        """How many clients have a message due that nobody has taken since: their user is stuck, or starved."""
        return sum(client.is_overdue(before_ns) for client in self._clients)

    def _sample(self, now: int) -> None:
        """Once a second: gauges, a look at the wall clock, and everything to disk."""
        self.clock.look_at_wall(now)
        context = self.context
        values = self.metrics.look(
            now,
            Looked(
                context.tally.open_sessions, self._injector.held, context.sockets.unsent_bytes, context.sockets.reads,
                context.sockets.unstamped, context.tally.late_answers, self.clock.step_ns,
                context.tally.unmatched,
                self._overdue(now - SECOND) if self.metrics.lags.is_empty and not self._load_over else 0,
            ),
        )  # fmt: skip
        for gauge, value in values.items():
            self.recorder.row(Kind.SAMPLE, code=gauge, session=self.rank, seq=value, arrived=now)
        self.latest = self.context.tally.snapshot(now)
        self.recorder.flush()


def _slowest_poll_ns(plan: Plan, patterns: Sequence[str]) -> int:
    """How long a message may wait for the next poll of a session that asks at intervals."""
    rest = plan.endpoint.rest
    return round(rest.every_s * SECOND) if "polling" in patterns and rest.mode == "interval" else 0


def _descriptors(plan: Plan, patterns: Sequence[str]) -> int:
    """How many connections a session may hold: one to post by beside its WebSocket, or beside one for each room."""
    if set(patterns) == {"websocket"}:
        return 1
    return 1 + (getattr(plan.load.room_sizes, "per_session", 1) if "polling" in patterns else 1)


def _calm_collector(generation: int = OLDEST) -> None:
    """Keep the garbage collector from pausing us: what exists now stays, and what comes forms no cycles.

    With sessions there, only the youngest are looked through: looking through all of 10,000 took up to 0.6 s, in which
    nobody was heard.
    """
    gc.collect(generation)
    gc.freeze()
    gc.set_threshold(*COLLECTED)


def filler(seed: int, size: int) -> str:
    """Payload text of `size` characters: ASCII, compressible like prose, the same for the same seed."""
    chance = random.Random(f"{seed}-text")
    letters = "etaoinshrdlu" * 3 + "cmfwypvbgkjqxz" + " " * 8
    return "".join(chance.choices(letters, k=size))


def _where(error: BaseException) -> str:
    """The innermost line of ours, for a defect report."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
