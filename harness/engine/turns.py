"""Turns: whose message is due next, among the clients of one user, and the waiting until then.

The waiting greenlet is the user's; it is woken by a timer of the run's clock, since Locust's own wait functions lose
messages after a stall (docs/design.md, decision 3).
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any

from gevent import get_hub, getcurrent

from ..client.lifecycle import Client
from ..client.run_context import State
from ..errors import RunFailed
from ..schedule.pacing import NOT_YET, Thinking
from ..transport.clock import Clock, Timer
from .timeline import Timeline

AWAY_NS = 250_000_000
"""How often a client of a closed loop that is away looks whether it may speak again."""

SOON_NS = 50_000
"""No timer wakes a user sooner than that."""

SPUN_NS = 3_000
"""Looking again until then costs less than a timer."""

BURST = 64
"""How many messages are sent in a row at most before the hub may look at what has arrived."""

READY = State.READY  # looked up once: an enum's member takes 70 ns in Python 3.11


class Turns:
    """The due messages of one user's clients.

    Args:
        abandon: records a message (client, due time in ns) that was due and could not be sent.
    """

    __slots__ = (
        "_abandon", "_alarm", "_awaited", "_clock", "_hub", "_in_a_row", "_is_waking", "_queue", "_sleeper",
        "_timeline", "client",
    )  # fmt: skip

    client: Client
    """Whose turn it is, after `take`."""

    def __init__(self, clock: Clock, timeline: Timeline, abandon: Callable[[Client, int], None]) -> None:
        self._clock = clock
        self._timeline = timeline
        self._abandon = abandon
        self._queue: list[tuple[int, int, Client]] = []
        self._in_a_row = 0
        self._hub: Any = get_hub()
        self._sleeper: Any = None
        self._is_waking = False
        self._alarm: Timer | None = None
        """Wakes the user; one that is live and early enough is left: looking once too often costs less than a timer."""
        self._awaited = 0
        """In a closed loop: how many clients wait for an answer, and so have no message on the queue."""

    def begin(self, clients: tuple[Client, ...]) -> None:
        """Put the first message of each of these clients on the queue."""
        for client in clients:
            first = client.pace.due_ns(0) if client.pace is not None else None
            if first is not None:
                self._queue.append((first, client.session.number, client))
        heapify(self._queue)

    def take(self) -> int | None:
        """Wait until a message of a client that may send is due, and make that client `client`.

        Returns:
            The due time (monotonic ns); None when no more will be due.

        Raises:
            RunFailed: called in the hub, which must not wait.
        """
        queue, timeline, now = self._queue, self._timeline, self._clock.now
        while queue or self._awaited:
            earliest = queue[0][0] if queue else NOT_YET
            if earliest >= timeline.load_end_ns and not timeline.is_loading:
                break
            if earliest > now():
                if not timeline.is_loading:
                    break  # the run has failed
                if earliest > now() + SPUN_NS:
                    self.wait(min(earliest, timeline.load_end_ns))
            elif self._in_a_row >= BURST:
                self.wait(0)
            else:
                # What was due before the end of the load is sent after it, when we are late: a plan is never cut.
                self._in_a_row += 1
                client = queue[0][2]
                is_ready = client.state is READY
                if isinstance(client.pace, Thinking) and not (is_ready and client.speaks_from <= now()):
                    self._put_off(client, client.pace)
                    continue
                self._advance(client)
                if is_ready and earliest >= client.speaks_from and not timeline.is_departing:
                    self.client = client
                    return earliest
                self.ended(client)
                if earliest >= client.speaks_from:  # what falls due before a client has begun never counts
                    self._abandon(client, earliest)
        return None

    def ended(self, client: Client) -> None:
        """In a closed loop: what the client did last is over, and its next message can be put on the queue."""
        pace = client.pace
        if not isinstance(pace, Thinking):
            return
        now = self._clock.now()
        due = pace.ended(client.n - 1, now)
        if due == NOT_YET:
            return
        self._awaited -= 1
        if due is None:
            return
        heappush(self._queue, (due, client.session.number, client))
        hub = self._hub
        if due > now + SOON_NS or getcurrent() is not hub:
            self._clock.at(due, self._wake)
        elif not self._is_waking:
            # Flat out, a timer for each message would cost as much as the message; who is woken too soon sets one. And
            # answering a round of answers together, once all are read, lets the endpoint sleep once a round.
            self._is_waking = True
            hub.loop.run_callback(self._wake)

    def wait(self, until_ns: int) -> None:
        """Let the hub run, until then (monotonic ns; past: once).

        Raises:
            RunFailed: called in the hub.
        """
        sleeper = getcurrent()
        if sleeper is self._hub:
            raise RunFailed("pace() was called from a hook (on_connect, done, ...), which must not wait")
        self._in_a_row = 0
        alarm = self._alarm
        if alarm is None or alarm.due_ns > until_ns or not alarm.is_live:
            if alarm is not None:
                alarm.cancel()
            self._alarm = self._clock.at(until_ns, self._wake)
        self._sleeper = sleeper
        try:
            self._hub.switch()
        finally:
            self._sleeper = None

    def _wake(self) -> None:
        self._is_waking = False
        if self._sleeper is not None:
            self._sleeper.switch()

    def _advance(self, client: Client) -> None:
        """Take the earliest message, which is this client's, off the queue, and put its next one in its place."""
        client.n = n = client.n + 1
        following = client.pace.due_ns(n) if client.pace is not None else None
        if following is None:
            heappop(self._queue)
        elif following == NOT_YET:
            heappop(self._queue)
            self._awaited += 1
        else:
            heapreplace(self._queue, (following, client.session.number, client))

    def _put_off(self, client: Client, pace: Thinking) -> None:
        """In a closed loop: the client cannot speak now, and looks again a little later."""
        pace.put_off(max(self._clock.now() + AWAY_NS, client.speaks_from))
        due = pace.due_ns(client.n)
        if due is None:
            heappop(self._queue)
        else:
            heapreplace(self._queue, (due, client.session.number, client))
