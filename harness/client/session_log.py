"""What sessions record: the rows, the running counts, the stats mirror and the evidence, one method per event.

One per process, shared by its sessions. All rows of sessions are written here, so that one module knows what each
column means for each kind of row (docs/run-directory.md).
"""

from collections.abc import Mapping
from typing import Protocol as Interface

from ..plan import mask_header
from ..record.recorder import Recorder
from ..record.row import NO_PEER, NO_ROOM, Closer, Flag, Kind, Outcome, SignalKind
from ..transport.events import Arrival, Ending, Pong, Refusal
from ..wire.signal import Signal
from .receipts import Receipt
from .tally import Tally
from .unrecognised import Unrecognised

NOTHING_CAME = Arrival(0, 0, 0)

# Looking an enum's member up takes 70 ns in Python 3.11, a global 2: what each message needs is looked up once. Rows of
# plain numbers are packed in two thirds of the time.
PUBLISH, OK, REJECTED = Kind.PUBLISH, Outcome.OK, Outcome.REJECTED
PUBLISHED, DELIVERED, WELL = int(Kind.PUBLISH), int(Kind.DELIVERY), int(Outcome.OK)

EXAMPLES, EXAMPLE_BYTES = 3, 300
"""How many names of rooms that the plan has not are kept as evidence, and how much of each."""


class StatsMirror(Interface):
    """Receives a copy of what was measured, for another program's statistics (Locust's web UI)."""

    def __call__(self, name: str, response_ns: int, outcome: Outcome, code: int) -> None:
        """One operation has ended."""


class Party(Interface):
    """The session that a row is about."""

    number: int
    conn: int


class SessionLog:
    """The log of all sessions of one process.

    Args:
        room_numbers: a room's number by its name; empty where the plan has no rooms.
        mirror: None: no copy is wanted.
        unrecognised: keeps the frames that were not recognised.
    """

    __slots__ = ("_recorder", "_room_numbers", "mirror", "tally", "unrecognised")

    def __init__(
        self,
        recorder: Recorder,
        tally: Tally,
        room_numbers: Mapping[str | None, int],
        mirror: StatsMirror | None,
        unrecognised: Unrecognised,
    ) -> None:
        self._recorder = recorder
        self._room_numbers = room_numbers
        self.unrecognised = unrecognised
        self.tally = tally
        self.mirror = mirror

    # -- connections --------------------------------------------------------------------------------------------

    def opened(self, of: Party, due: int, sent: int, when: Arrival, flags: int, expires: int) -> None:
        """A connection is open; its token expires at `expires` (0: never, or not known)."""
        self.tally.open_sessions += 1
        self._recorder.row(
            Kind.OPEN, OK, when.flags | flags, 0, of.number, of.conn, seq=expires, due=due, sent=sent,
            arrived=when.arrived, read=when.read,
        )  # fmt: skip
        self._copy("open", when.read - sent, OK, 0)

    def refused(self, of: Party, why: Refusal, due: int, sent: int, when: Arrival) -> None:
        """A connection did not open; `sent` 0: it did not come to that."""
        self._recorder.row(
            Kind.OPEN, why.outcome, when.flags, why.code, of.number, of.conn, due=due, sent=sent, arrived=when.arrived,
            read=when.read,
        )  # fmt: skip
        if why.outcome is not Outcome.ABANDONED:
            headers = {name: mask_header(name, value) for name, value in why.headers}
            self._recorder.evidence(
                when.read, "refused", why.code, why.text, status=why.status, headers=headers, body=why.body
            )
        self._copy("open", when.read - sent if sent else 0, why.outcome, why.code)

    def skipped(self, of: Party, due: int, now: int) -> None:
        """The next connection was due, and the generator did not get to it."""
        self._recorder.row(Kind.OPEN, Outcome.ABANDONED, 0, 0, of.number, of.conn + 1, due=due, read=now)

    def closed(self, of: Party, end: Ending, when: Arrival) -> None:
        """An open connection has ended."""
        self.tally.open_sessions -= 1
        self.unrecognised.ended(of.number)
        self._recorder.row(
            Kind.CLOSE, end.outcome, when.flags, end.code, of.number, of.conn, peer=end.closer, sent=end.began,
            arrived=when.arrived, read=when.read,
        )  # fmt: skip
        if end.reason and end.closer not in (Closer.US, Closer.RESET):
            self._recorder.evidence(when.read, "closed", end.code, end.reason, closer=end.closer.name.lower())

    def ponged(self, of: Party, pong: Pong, when: Arrival | None) -> None:
        """A keepalive ping has ended."""
        when = when or NOTHING_CAME
        self._recorder.row(
            Kind.KEEPALIVE, pong.outcome, when.flags, pong.code, of.number, of.conn, due=pong.due, sent=pong.sent,
            arrived=when.arrived, read=when.read,
        )  # fmt: skip

    # -- requests -----------------------------------------------------------------------------------------------

    def ended(self, of: Party, receipt: Receipt, outcome: Outcome, code: int, when: Arrival) -> None:
        """A request has ended: answered, or without an answer (NOTHING_CAME)."""
        arrived, kind = when.arrived, receipt.kind
        self._recorder.row(
            PUBLISHED if kind is PUBLISH else kind, WELL if outcome is OK else outcome, receipt.flags | when.flags,
            code, of.number, receipt.conn, receipt.room, receipt.peer, receipt.seq, receipt.due, receipt.sent,
            arrived, when.read,
        )  # fmt: skip
        if outcome is REJECTED:
            self._recorder.name_code(code, when.read)
        if kind is PUBLISH:
            if outcome is OK:
                took_ns = arrived - (receipt.due or receipt.sent) if arrived else None
                self.tally.accepted(of.number, receipt.seq, took_ns)
            else:
                self.tally.refused(of.number, receipt.seq)
                self.tally.rejected += outcome is REJECTED
        if self.mirror is not None and arrived:
            self.mirror(kind.name.lower(), arrived - (receipt.due or receipt.sent), outcome, code)

    def implied(self, of: Party, kind: Kind, room: int, sent: int, arrived: int, now: int) -> None:
        """A join or leave without a request: deliveries are rightful from `sent` on, and owed from `arrived` on."""
        self._recorder.row(kind, OK, Flag.IMPLICIT, 0, of.number, of.conn, room, sent=sent, arrived=arrived, read=now)

    def abandoned(self, of: Party, seq: int, room: int, due: int, flags: int) -> None:
        """A message could not be sent."""
        self.tally.abandoned += 1
        self._recorder.row(PUBLISH, Outcome.ABANDONED, flags, 0, of.number, max(0, of.conn), room, seq=seq, due=due)

    def fetched(
        self, of: Party, room: int, outcome: Outcome, code: int, messages: int, due: int, sent: int, when: Arrival
    ) -> None:
        """One poll of a room has ended; it brought `messages` of them."""
        self._recorder.row(
            Kind.FETCH, outcome, when.flags, code, of.number, of.conn, room, seq=messages, due=due, sent=sent,
            arrived=when.arrived, read=when.read,
        )  # fmt: skip

    def came_late(self) -> None:
        """An answer came after its request was given up."""
        self.tally.late_answers += 1

    # -- what arrives unasked, or is not understood -------------------------------------------------------------

    def delivered(self, of: Party, origin: tuple[int, int], named: str | None, content: int, when: Arrival) -> None:
        """A message has come.

        Args:
            of: the receiver.
            origin: the session and number of the message.
            named: the room that the frame names; None: it names none.
            content: what the frame contains, as a row's Content.
            when: when it came.
        """
        room = self._room_numbers.get(named, NO_ROOM)
        flags = when.flags
        sender, seq = origin
        if room == NO_ROOM and named is not None and self._room_numbers:
            flags |= self._elsewhere(named, when)
        self._recorder.row(
            DELIVERED, WELL, flags, content, of.number, of.conn, room, sender, seq, 0, 0, when.arrived, when.read
        )
        self.tally.delivered(origin)

    def _elsewhere(self, named: str, when: Arrival) -> int:
        """The delivery names a room that the plan does not have: keep the first few names as evidence."""
        self.tally.elsewhere += 1
        if self.tally.elsewhere <= EXAMPLES:
            self._recorder.evidence(when.read, "elsewhere", 0, named[:EXAMPLE_BYTES])
        return Flag.ELSEWHERE

    def stray(
        self, of: Party, signal: Signal, outcome: Outcome, when: Arrival, data: bytes, flags: int = 0,
        why: int = NO_PEER,
    ) -> None:  # fmt: skip
        """A frame that names nothing of this session's (`why`: a Misfit), or is not the protocol at all (GARBLED)."""
        flags |= when.flags | self.unrecognised.came(of, signal.kind, data, when)
        self._recorder.row(
            Kind.STRAY, outcome, flags, signal.kind, of.number, of.conn, NO_ROOM, why, signal.code,
            arrived=when.arrived, read=when.read,
        )  # fmt: skip
        self._recorder.name_code(signal.code, when.read)
        self.error(signal.code, signal.reason, when)

    def unmatched(self, of: Party, data: bytes, when: Arrival) -> None:
        """A frame that matches nothing that the plan describes."""
        self.tally.unmatched += 1
        self.unrecognised.came(of, SignalKind.OTHER, data, when)

    def foreign(self, of: Party, signal: Signal, sessions: int, when: Arrival, data: bytes) -> None:
        """A delivery whose id is none of the run's `sessions`."""
        self.tally.unmatched += 1
        made_up = self.unrecognised.is_made_up(signal.id, sessions)
        self.stray(of, signal, Outcome.NONE, when, data, Flag.MADE_UP if made_up else 0)

    def error(self, code: int, reason: str, when: Arrival) -> None:
        """Keep the endpoint's text of an error, if there is one."""
        if reason:
            self._recorder.evidence(when.read, "error", code, reason)

    def _copy(self, name: str, took_ns: int, outcome: Outcome, code: int) -> None:
        if self.mirror is not None:
            self.mirror(name, took_ns, outcome, code)
