"""The generator: begins, interrupts, fails and closes one process's share of a run.

Whatever goes wrong in a hub callback arrives in `fail`, which ends the run loudly, since the hub would print and
swallow it; what was recorded is kept.
"""

import random
from typing import Any

import gevent

from ..client.lifecycle import Client
from ..client.run_context import ClientOwner
from ..client.session_log import StatsMirror
from ..errors import RunFailed, SquallError
from ..plan import Reconnect
from ..units import MILLISECOND
from .assembly import assemble
from .breakage import generator_broke
from .collector import YOUNGEST, calm_collector
from .orders import Orders

CALM_BEFORE_NS = 400 * MILLISECOND


class Generator:
    """One process of a run, and the run context of its clients.

    Args:
        mirror: None: no copy of what is measured is wanted.

    Raises:
        RunFailed: the shard cannot be made, the host has no address, or too few descriptors are allowed.
        UsageError: an environment variable, file or source address that the plan names cannot be used.
    """

    def __init__(self, orders: Orders, mirror: StatsMirror | None = None) -> None:
        self.run = run = assemble(orders, self.fail, mirror)
        self.orders = orders
        self.clock = run.clock
        self.recorder = run.recorder
        self.roster = run.roster
        self.timeline = run.timeline
        self.over = run.timeline.over
        self.text = run.text
        self.chance = random.Random(f"{orders.plan.seed}-backoff-{orders.rank}")
        """Shared by all clients for their jitter: one each would cost 2.5 KiB a session."""
        self.failure: SquallError | None = None
        """The first thing of ours that went wrong; None: nothing did."""
        self._watching: list[Any] = []

    # -- the run context of clients -----------------------------------------------------------------------------

    def recruit(self, owner: ClientOwner) -> list[Client]:
        """The next clients of this process, for one user; fewer than the plan gives it, or none, at the end."""
        return self.roster.recruit(owner, self)

    def seat_ns(self, number: int, life: int) -> tuple[int, int | None, int]:
        """When the life-th session on a seat comes and goes, as `RunContext.seat_ns`."""
        return self.roster.seat_ns(number, life)

    @property
    def policy(self) -> Reconnect:
        """When a session comes back."""
        return self.orders.plan.reconnect

    @property
    def is_loading(self) -> bool:
        """Whether sessions should still be kept up and messages sent."""
        return self.timeline.is_loading

    @property
    def is_departing(self) -> bool:
        """Whether all sessions have been asked to leave, or the run is broken off."""
        return self.timeline.is_departing

    # -- begin, interrupt, fail, close --------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the time line, the faults, the samples, and what watches the endpoint."""
        run, timeline = self.run, self.timeline
        run.injector.schedule(timeline.start_ns)
        for watch in run.watches:
            self._watching.append(gevent.spawn(watch.run, self.clock, self.recorder, self.fail))
        calm_collector()  # or it would look through all open sessions, again and again, while the rest open
        self.clock.at(timeline.load_start_ns - CALM_BEFORE_NS, lambda: calm_collector(YOUNGEST))
        timeline.begin()
        run.sampler.begin()

    def end_load(self) -> None:
        """End the load now, as if its end had come."""
        self.run.injector.halt()
        self.timeline.end_load()

    def interrupt(self) -> None:
        """End the load now, in good order: settle, depart, over. Has an effect once, and none when all is over."""
        if not self.timeline.interrupted and not self.over.is_set():
            self.run.injector.halt()
            self.timeline.interrupt()

    def fail(self, error: BaseException) -> None:
        """Something of ours went wrong: remember the first, and end the run at once."""
        if self.failure is None:
            self.failure = generator_broke(error)
        self.timeline.break_off()
        self.over.set()

    def close(self) -> None:
        """Lift every fault, break what is still open, and close the shard; whatever has happened before.

        Raises:
            RunFailed: the last rows could not be written.
        """
        self.timeline.break_off()
        try:
            for watching in self._watching:
                watching.kill()
            self.run.injector.lift_all()
            self.roster.abort()
            self.run.context.access.close()
        except RunFailed as error:
            self.failure = self.failure or error
        finally:
            self.clock.close()
            self.run.metrics.close()
            self.recorder.close()
