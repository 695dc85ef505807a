"""Assembly: from the orders of one process to the parts of its run, wired together. Nothing has begun yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..auth import Access, Fields
from ..client.context import Context
from ..client.session_log import StatsMirror
from ..client.tally import Tally
from ..faults.injector import Injector
from ..faults.schedule import most_held
from ..observe.connection_list import Observer
from ..observe.process import ProcessWatch
from ..plan import Plan
from ..record.recorder import Recorder
from ..record.row import Gauge, Kind, Outcome
from ..schedule.ownership import owned
from ..schedule.replay import replayed
from ..schedule.rooms import home_names
from ..transport.clock import Clock, Failure
from ..transport.connection_options import find_addresses, make_options
from ..transport.http_client import HttpClient
from ..transport.sockets import Sockets, allow_descriptors
from ..units import SECOND
from .orders import Orders
from .plan_checks import make_checked_dialect
from .roster import Roster
from .sampler import Sampler
from .self_metrics import SelfMetrics
from .timeline import Timeline, load_ns

SPARE_DESCRIPTORS = 256


class Watch(Protocol):
    """Looks at the endpoint all through the run, in a greenlet of its own."""

    def run(self, clock: Clock, recorder: Recorder, failure: Failure, /) -> None:
        """Look until killed."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one process's share of a run is made of."""

    orders: Orders
    clock: Clock
    recorder: Recorder
    context: Context
    metrics: SelfMetrics
    roster: Roster
    timeline: Timeline
    sampler: Sampler
    injector: Injector
    watches: tuple[Watch, ...]
    text: str
    """A payload of the plan's size."""


def assemble(orders: Orders, failure: Failure, mirror: StatsMirror | None = None) -> Run:
    """Wire one process's share of a run.

    Args:
        orders: this process's share of the run.
        failure: hears whatever of ours goes wrong in a hub callback.
        mirror: None: no copy of what is measured is wanted.

    Raises:
        RunFailed: the shard cannot be made, the host has no address, or too few descriptors are allowed.
        UsageError: an environment variable, file or source address that the plan names cannot be used.
    """
    plan, rank = orders.plan, orders.rank
    allow_descriptors(
        len(owned(plan.load, rank, orders.processes)) * _descriptors(plan, orders.patterns)
        + most_held(plan, rank, orders.processes, orders.skipped) + SPARE_DESCRIPTORS
    )  # fmt: skip

    def logged_in(whose: Fields, outcome: Outcome, code: int, due: int, began: int, ended: int) -> None:
        recorder.row(
            Kind.LOGIN, outcome, code=code, session=whose.session, conn=whose.conn, due=due, sent=began,
            arrived=ended, read=ended,
        )  # fmt: skip

    access = Access(
        plan.endpoint, orders.nonce, plan.load.sessions, witness=logged_in, failure=failure, http=HttpClient,
        room_of=home_names(plan.load, plan.seed) if plan.endpoint.room_key else None,
    )  # fmt: skip
    watches = _watches(orders, access)
    addresses = orders.addresses or find_addresses(plan.endpoint, access.port)
    options = make_options(plan.endpoint, access.port, addresses, access.redaction)
    clock = Clock()
    clock.failure = failure
    recorder = Recorder(orders.path, rank, access.conceal)
    sockets = Sockets(clock, failure)
    metrics = SelfMetrics(plan.fitness, clock.now(), stamped=sockets.stamped)
    sockets.read_lags = metrics.read_lags
    tally = Tally(
        plan.load.room_count, plan.contract.delivers_to_sender, metrics.lags, _slowest_poll_ns(plan, orders.patterns)
    )
    context = Context(
        plan, orders.nonce, clock, sockets, recorder, make_checked_dialect(plan), access, options, tally, mirror
    )
    roster = Roster(
        plan, context, orders.start_ns, load_ns(plan, orders.start_ns), replayed(orders.path),
        rank=rank, processes=orders.processes, patterns=orders.patterns,
    )  # fmt: skip
    text = context.texts.sign
    injector = Injector(context, roster.sessions, text, orders.schemas, orders.skipped)

    def before_departing() -> None:
        injector.lift_all()
        # Messages that were due and never handed out: no row tells of them.
        sampler.gauge(Gauge.MISSED, roster.missed(timeline.load_end_ns), timeline.load_end_ns)

    timeline = Timeline(plan, orders.start_ns, clock, roster, before_departing)
    sampler = Sampler(context, metrics, roster, timeline, lambda: injector.held, rank)
    return Run(orders, clock, recorder, context, metrics, roster, timeline, sampler, injector, watches, text)


def _watches(orders: Orders, access: Access) -> tuple[Watch, ...]:
    """What the plan wants to be watched; one process of a run does it."""
    plan = orders.plan
    found: list[Watch] = []
    if orders.rank == 0 and plan.observe.url:
        found.append(Observer(plan.observe, plan.endpoint, orders.nonce, plan.load.sessions, access.redaction))
    if orders.rank == 0 and plan.observe.metrics:
        found.append(ProcessWatch(plan.observe, plan.endpoint, access.redaction))
    return tuple(found)


def _slowest_poll_ns(plan: Plan, patterns: Sequence[str]) -> int:
    """How long a message may wait for the next poll of a session that asks at intervals."""
    rest = plan.endpoint.rest
    return round(rest.every_s * SECOND) if "polling" in patterns and rest.mode == "interval" else 0


def _descriptors(plan: Plan, patterns: Sequence[str]) -> int:
    """How many connections a session may hold: one to post by beside its WebSocket, or beside one for each room."""
    if set(patterns) == {"websocket"}:
        return 1
    return 1 + (getattr(plan.load.room_sizes, "per_session", 1) if "polling" in patterns else 1)
