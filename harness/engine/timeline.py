"""The time line of one process's run: open (over the ramp), load, settle (listen), depart (leave and close), over."""

from collections.abc import Callable

from gevent.event import Event

from ..client.session import Session
from ..plan import Plan
from ..transport.clock import Agenda
from ..units import MILLISECOND, SECOND
from .roster import Roster

DEPART_OVER_NS = SECOND
DEPART_AT_ONCE = 32
DEPART_AT_MOST_NS = 8 * SECOND
LOOK_EVERY_NS = 100 * MILLISECOND


class Timeline:
    """When the load begins and ends (ns on the monotonic clock), and what has come of it.

    Args:
        start_ns: when the first session of the run is due to open.
        before_departing: called once, after settling and before the first session leaves.
    """

    def __init__(
        self, plan: Plan, start_ns: int, clock: Agenda, roster: Roster, before_departing: Callable[[], None]
    ) -> None:
        self.start_ns = start_ns
        self.load_start_ns, self.load_end_ns = load_ns(plan, start_ns)
        self.settle_ns = round(plan.load.settle_s * SECOND)
        self._clock = clock
        self._roster = roster
        self._before_departing = before_departing
        self._is_load_over = False
        self.is_departing = False
        """Whether it is too late to send what was due: sessions have begun to leave, or the run is broken off."""
        self.interrupted = False
        self.over = Event()
        """Set when nothing more will happen: the last session has left, or the run has failed."""

    @property
    def is_load_over(self) -> bool:
        """Whether the end of the load has come, or the run is broken off."""
        return self._is_load_over

    @property
    def is_loading(self) -> bool:
        """Whether sessions should still be kept up and messages sent."""
        return not self._is_load_over and self._clock.now() < self.load_end_ns

    def begin(self) -> None:
        """Wait for the end of the load."""
        self._clock.at(self.load_end_ns, self._load_ended)

    def interrupt(self) -> None:
        """End the load now: settle, depart, over."""
        self.interrupted = True
        self.load_end_ns = min(self.load_end_ns, self._clock.now())
        self._load_ended()

    def break_off(self) -> None:
        """Nothing is sent or kept up any more, from now on."""
        self._is_load_over = self.is_departing = True

    def _load_ended(self) -> None:
        if not self._is_load_over:
            self._is_load_over = True
            self._roster.load_over(self._clock.now())
            self._clock.after(self.settle_ns, self._depart)

    def _depart(self) -> None:
        """All sessions leave, spread a little so that the endpoint does not see all closes at once."""
        self._before_departing()
        self.is_departing = True
        leaving, now = self._roster.open_sessions(), self._clock.now()
        self._depart_some(leaving, DEPART_OVER_NS * DEPART_AT_ONCE // max(1, len(leaving)), now)
        self._await_departed(now + DEPART_AT_MOST_NS)

    def _depart_some(self, leaving: list[Session], every_ns: int, due: int) -> None:
        for session in leaving[-DEPART_AT_ONCE:]:
            session.depart()
        del leaving[-DEPART_AT_ONCE:]
        if leaving:
            self._clock.at(due + every_ns, lambda: self._depart_some(leaving, every_ns, due + every_ns))

    def _await_departed(self, until_ns: int) -> None:
        if self._clock.now() >= until_ns or not self._roster.open_sessions():
            self.over.set()
        else:
            self._clock.after(LOOK_EVERY_NS, lambda: self._await_departed(until_ns))


def load_ns(plan: Plan, start_ns: int) -> tuple[int, int]:
    """When the load of a run that starts at `start_ns` begins and ends."""
    return start_ns + round(plan.load_start_s * SECOND), start_ns + round(plan.load_end_s * SECOND)
