"""Which clients still answer: protocol pings to all of them, by one task, and who has not answered in time.

Subtle: a pong may lie unread in our own socket while this process is busy, so a silent client is only suspected at
first and given up at the next sweep.
"""

from collections import deque
from collections.abc import Callable

from .connection import Connection
from .envelope import PING, wire

PING_FRAME = wire(PING)


class Liveness:
    """Pings every watched connection every `interval_s`; one without a pong `timeout_s` later goes to `silent`.

    An interval of 0 pings nobody. A connection is found silent at most two ticks (0.5 s) later than it should.
    """

    def __init__(self, interval_s: float, timeout_s: float, silent: Callable[[Connection], None]) -> None:
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._silent = silent
        # In order of time without sorting, because all have the same interval and time-out.
        self._due: deque[tuple[float, Connection]] = deque()
        self._unanswered: deque[tuple[float, Connection]] = deque()
        self._suspects: list[tuple[float, Connection]] = []

    def watch(self, connection: Connection, now_s: float) -> None:
        """Begin to ping a connection, first after one interval."""
        if self._interval_s:
            self._due.append((now_s + self._interval_s, connection))

    def sweep(self, now_s: float) -> None:
        """Send the pings that are due, give up the suspects, and suspect the connections that are overdue."""
        suspects, self._suspects = self._suspects, []
        for pinged_s, connection in suspects:
            if not connection.gone and connection.ponged_s < pinged_s:
                self._silent(connection)
        while self._unanswered and self._unanswered[0][0] + self._timeout_s <= now_s:
            pinged_s, connection = self._unanswered.popleft()
            if not connection.gone and connection.ponged_s < pinged_s:
                self._suspects.append((pinged_s, connection))
        while self._due and self._due[0][0] <= now_s:
            _, connection = self._due.popleft()
            if not connection.gone:
                connection.write(PING_FRAME)
                self._unanswered.append((now_s, connection))
                self._due.append((now_s + self._interval_s, connection))
