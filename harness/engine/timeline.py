"""The time line of one process's run: open (over the ramp), load, settle (listen), depart (leave and close), over.

All listen until every request is answered or has been given up at its time-out, and for `load.settle_s` at least: only
then is what has no answer unanswered. A run that is interrupted does not wait for that, and gives up what is open then.
"""

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
"""How long the sessions of an interrupted run may take to leave; others may wait for the answers to their leaves."""
CLOSE_NS = 6 * SECOND
"""How long a closing handshake may take, and its end be looked for."""
LATE_NS = 2 * SECOND
"""How much later than due a last message may be sent, and how late its time-out be looked for."""
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
        self.listen_ns, self.depart_ns = ending_ns(plan)
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

    def end_load(self) -> None:
        """End the load now; all the rest as planned. Harmless when it has ended."""
        self.load_end_ns = min(self.load_end_ns, self._clock.now())
        self._load_ended()

    def interrupt(self) -> None:
        """End the load now, if it has not ended, and do not wait for every answer."""
        self.interrupted = True
        self.end_load()

    def break_off(self) -> None:
        """Nothing is sent or kept up any more, from now on."""
        self._is_load_over = self.is_departing = True

    def _load_ended(self) -> None:
        if not self._is_load_over:
            self._is_load_over = True
            self._roster.load_over(self._clock.now())
            self._clock.after(self.settle_ns, self._listen)

    def _listen(self) -> None:
        """Depart once nothing is waited for, or nothing can be answered in time any more."""
        is_over = self.interrupted or self._clock.now() >= self.load_end_ns + self.listen_ns
        if is_over or not self._roster.expects():
            self._depart()
        else:
            self._clock.after(LOOK_EVERY_NS, self._listen)

    def _depart(self) -> None:
        """All sessions leave, spread a little so that the endpoint does not see all closes at once."""
        self._before_departing()
        self.is_departing = True
        if self.interrupted:
            self._roster.give_up()
        leaving, now = self._roster.open_sessions(), self._clock.now()
        self._depart_some(leaving, DEPART_OVER_NS * DEPART_AT_ONCE // max(1, len(leaving)), now)
        self._await_departed(now + (DEPART_AT_MOST_NS if self.interrupted else self.depart_ns))

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


def ending_ns(plan: Plan) -> tuple[int, int]:
    """How long a run listens after its load, at most, and how long its sessions take to leave, at most."""
    answer_ns = round(plan.endpoint.answer_timeout_s * SECOND)
    open_ns = round(plan.endpoint.open_timeout_s * SECOND)
    listen_ns = max(round(plan.load.settle_s * SECOND), max(answer_ns, open_ns) + LATE_NS)
    return listen_ns, DEPART_OVER_NS + answer_ns + LATE_NS + CLOSE_NS
