"""Keepalive: a protocol ping every so often, and the connection given up when its pong does not come in time.

One object per connection, and only where the plan asks for pings. Pings are due at absolute times from the opening, so
a late pong does not move the next; and only one is ever under way, since the plan holds the time-out to at most the
period.
"""

from typing import Protocol

from ..record.row import Outcome
from .clock import Agenda, Timer
from .events import Arrival, Pong
from .options import Options


class Pinging(Protocol):
    """The connection, as far as pings go."""

    def send_ping(self, data: bytes, message: "Keepalive") -> bool:
        """Send one; False when the connection is being closed and nothing more may be sent."""

    def ping_ended(self, pong: Pong, when: Arrival | None) -> None:
        """One has ended; expired means that the connection is to be given up."""


class Keepalive:
    """Begins when the connection opens; `stop` it when it ends."""

    __slots__ = ("_clock", "_connection", "_due", "_number", "_options", "_timer", "_waits", "sent")

    def __init__(self, clock: Agenda, connection: Pinging, options: Options, opened_ns: int) -> None:
        self._clock = clock
        self._connection = connection
        self._options = options
        self._number = 0
        self._waits = False
        self._due = opened_ns + options.ping_every_ns
        self._timer: Timer = clock.at(self._due, self._ping)
        self.sent = 0
        """When the last one left (0: it has not)."""

    def _ping(self) -> None:
        self._number += 1
        self._waits = True
        self.sent = 0
        self._timer = self._clock.after(self._options.ping_timeout_ns, self._too_late)
        if not self._connection.send_ping(self._payload, self):
            self._waits = False
            self._timer.cancel()

    @property
    def _payload(self) -> bytes:
        return self._number.to_bytes(4, "big")

    def ponged(self, data: bytes, when: Arrival) -> None:
        """A pong came; one that answers an older ping, or none, means nothing (RFC 6455 5.5.3)."""
        if not self._waits or data != self._payload:
            return
        self._waits = False
        self._timer.cancel()
        due = self._due
        while self._due <= when.read:
            self._due += self._options.ping_every_ns
        self._timer = self._clock.at(self._due, self._ping)
        self._connection.ping_ended(Pong(Outcome.OK, 0, due, self.sent), when)

    def _too_late(self) -> None:
        self._waits = False
        self._connection.ping_ended(Pong(Outcome.EXPIRED, 0, self._due, self.sent), None)

    def stop(self, code: int) -> None:
        """The connection has ended, with this code."""
        self._timer.cancel()
        if self._waits:
            self._waits = False
            self._connection.ping_ended(Pong(Outcome.CLOSED, code, self._due, self.sent), None)
