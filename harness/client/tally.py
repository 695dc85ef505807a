"""Running counts of one process for the live view: cheap, approximate where it says so, and never a source of reports.

`lost` counts, two seconds (and a poll's interval) after an accepted message, the members of its room in this process
that have not received it, and only when no session joined or left meanwhile; so it is "losses so far, seen from here",
a lower bound that costs no ledger.
"""

from collections import deque
from typing import NamedTuple

from ..record.row import NO_ROOM
from ..record.spread import Spread

SETTLE_NS = 2_000_000_000


class Acted(NamedTuple):
    """One act of chaos, for people: when (ns since the run's start) and what."""

    at_ns: int
    text: str


class Snapshot(NamedTuple):
    """What happened since the last one; response percentiles in ns, None when nothing was measured."""

    open_sessions: int
    sent: int
    answered: int
    rejected: int
    deliveries: int
    response_p50: int | None
    response_p99: int | None
    lost: int
    abandoned: int


class Tally:
    """Counted into by sessions, read once a second."""

    def __init__(
        self, rooms: int, delivers_to_sender: bool, lags: Spread | None = None, slowest_poll_ns: int = 0
    ) -> None:  # fmt: skip
        self._settle_ns = SETTLE_NS + slowest_poll_ns
        self.open_sessions = 0
        self.sent = 0
        self.answered = 0
        self.rejected = 0
        self.deliveries = 0
        self.abandoned = 0
        self.late_answers = 0
        self.unmatched = 0
        self.elsewhere = 0
        self.lost = 0
        self.acts: deque[Acted] = deque(maxlen=4)
        self._to_sender = delivers_to_sender
        self._members = [0] * rooms
        self._epochs = [0] * rooms
        self._owed: dict[tuple[int, int], list[int]] = {}
        self._responses = Spread()
        self._lags = lags or Spread()
        self._last = (0, 0, 0, 0, 0)

    def joined(self, room: int, change: int) -> None:
        """One more (1) or less (-1) member of a room."""
        self._members[room] += change
        self._epochs[room] += 1

    def published(self, session: int, seq: int, room: int, due: int, sent: int) -> None:
        """A message left for `room`, whose members should now get it (NO_ROOM: it is owed to no member).

        `due` 0: it was not planned, so it has no send delay.
        """
        self.sent += 1
        if due:
            self._lags.add(sent - due)
        if room == NO_ROOM:
            return
        owed = self._members[room] - (0 if self._to_sender else 1)
        self._owed[session, seq] = [owed, room, self._epochs[room], sent, 0]

    def delivered(self, message: tuple[int, int]) -> None:
        """A member got it: (session, number)."""
        self.deliveries += 1
        owed = self._owed.get(message)
        if owed is not None:
            owed[0] -= 1
            if owed[0] <= 0 and owed[4]:
                del self._owed[message]  # nothing more can be missing of it

    def accepted(self, session: int, seq: int, response_ns: int | None) -> None:
        """The endpoint answered for it; None: it gives no answers, and has had it long enough."""
        self.answered += 1
        if response_ns is not None:
            self._responses.add(response_ns)
        key = (session, seq)
        owed = self._owed.get(key)
        if owed is not None:
            owed[4] = 1
            if owed[0] <= 0:
                del self._owed[key]

    def refused(self, session: int, seq: int) -> None:
        """It was rejected, or its outcome is unknown: not owed."""
        self._owed.pop((session, seq), None)

    def snapshot(self, now_ns: int) -> Snapshot:
        """Count the losses of what has settled, and give what happened since the last time."""
        settled = []
        for key, owed in self._owed.items():
            if owed[3] + self._settle_ns > now_ns:
                break
            settled.append(key)
        for key in settled:
            owing, room, epoch, _, accepted = self._owed.pop(key)
            if accepted and owing > 0 and epoch == self._epochs[room]:
                self.lost += owing
        counts = (self.sent, self.answered, self.rejected, self.deliveries, self.abandoned)
        sent, answered, rejected, deliveries, abandoned = (
            now - before for now, before in zip(counts, self._last, strict=True)
        )
        self._last = counts
        responses = self._responses.take()
        p50, p99 = (responses.p50, responses.p99) if responses is not None else (None, None)
        return Snapshot(self.open_sessions, sent, answered, rejected, deliveries, p50, p99, self.lost, abandoned)
