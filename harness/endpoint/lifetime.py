"""Connections that have been idle or open for too long, as gateways limit both; one heap for all connections.

Activity does not touch the heap: when a connection's time has come, it is checked, and put back with its new time if it
was active meanwhile.
"""

import heapq
import itertools
import math
import operator
from collections.abc import Callable

from .connection import Connection


class Lifetime:
    """Passes a connection to `over` once it has been idle for `idle_s` or open for `max_s` (0: no such limit).

    `active_s` returns the time of a connection's last activity; by default, that of its last message.
    """

    def __init__(
        self,
        idle_s: float,
        max_s: float,
        over: Callable[[Connection, str], None],
        active_s: Callable[[Connection], float] = operator.attrgetter("active_s"),
    ) -> None:
        self._idle_s = idle_s or math.inf
        self._max_s = max_s or math.inf
        self._over = over
        self._active_s = active_s
        self._heap: list[tuple[float, int, Connection]] = []
        self._order = itertools.count()

    def watch(self, connection: Connection) -> None:
        """Begin to watch a connection."""
        ends_s = self._ends_s(connection)
        if ends_s < math.inf:
            heapq.heappush(self._heap, (ends_s, next(self._order), connection))

    def sweep(self, now_s: float) -> None:
        """Pass on every connection whose time is up at `now_s` (monotonic seconds)."""
        while self._heap and self._heap[0][0] <= now_s:
            _, _, connection = heapq.heappop(self._heap)
            if connection.gone:
                continue
            if self._ends_s(connection) > now_s:
                self.watch(connection)
            else:
                old = connection.connected_s + self._max_s <= now_s
                self._over(connection, "connected for too long" if old else "idle for too long")

    def _ends_s(self, connection: Connection) -> float:
        return min(self._active_s(connection) + self._idle_s, connection.connected_s + self._max_s)
