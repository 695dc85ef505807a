"""One client: open, join, publish, probe, leave, close; what comes back is matched by id and recorded.

It must not know Locust, pacing or chaos: it carries out one intent at a time, without ever blocking, and tells
`done` how it ended. The subtle thing: everything may happen again from within a callback (a send that fails ends the
connection, which ends every receipt), so a receipt is registered before its message is sent, and state is changed
before anyone is told.
"""

import time
from collections.abc import Callable
from typing import Protocol as Interface

from ..auth import Denied, Entry
from ..errors import UsageError
from ..plan import mask_header
from ..record.row import NO_PEER, NO_ROOM, Closer, Damage, Flag, Kind, Outcome, SignalKind
from ..transport.events import Arrival, Ending, Pong, Refusal
from ..units import SECOND
from ..wire import Message
from ..wire.ids import read_number
from ..wire.signal import Signal
from .context import Context
from .patterns.conversation import Conversation, Pattern
from .receipts import Done, Receipt, Receipts

UNCERTAIN_NS = SECOND
"""What was sent so shortly before a connection broke may never have reached the endpoint."""

NOTHING_CAME = Arrival(0, 0, 0)

# Looking an enum's member up takes 70 ns in Python 3.11, a global 2: what each message needs is looked up once. Rows of
# plain numbers are packed in two thirds of the time.
PUBLISH, PROBE = Kind.PUBLISH, Kind.PROBE
OK, REJECTED = Outcome.OK, Outcome.REJECTED
PUBLISHED, DELIVERED, WELL = int(Kind.PUBLISH), int(Kind.DELIVERY), int(Outcome.OK)
IS_DELIVERY, IS_ACK, IS_PONG, IS_ERROR = SignalKind.DELIVERY, SignalKind.ACK, SignalKind.PONG, SignalKind.ERROR

EXAMPLES, EXAMPLE_BYTES = 3, 300
"""How much is kept of the frames that nothing could be made of."""


class SessionListener(Interface):
    """Who keeps a session up: hears, in the hub, what became of its connection, after it was recorded."""

    def opened(self) -> None:
        """The upgrade was accepted."""

    def refused(self, why: Refusal, again: bool = False) -> None:
        """It did not open."""

    def closed(self, end: Ending, when: Arrival) -> None:
        """It was open and is no more; everything in flight has been told."""


class Session:
    """One client of the run, over as many connections as it takes; `number` is unique over all processes."""

    __slots__ = (
        "_context", "_due", "_given_up", "_name", "_opening", "_pattern", "_prefix", "_probe", "_rooms", "_seq",
        "_socket", "conn", "dialect", "is_open", "listener", "number", "receipts",
    )  # fmt: skip

    def __init__(self, context: Context, number: int, pattern: Pattern | None = None) -> None:
        self._context = context
        self._pattern = pattern
        self._name = f"{context.nonce}-{number}"
        self._prefix = f"{self._name}-"
        self._seq = 0
        self._socket: Conversation | None = None
        self._rooms: tuple[int, ...] = ()
        self._probe: Receipt | None = None
        self._given_up: set[int] | None = None
        self._due = 0
        self._opening = False
        self.number = number
        self.conn = -1
        """Its how-manieth connection this is; -1 before the first."""
        self.is_open = False
        self.dialect = pattern.dialect if pattern is not None else context.dialect
        self.receipts = Receipts()
        self.listener: SessionListener | None = None
        """Who hears that a connection opened, was refused, or ended."""

    @property
    def rooms(self) -> frozenset[int]:
        """The rooms it is a member of."""
        return frozenset(self._rooms)

    @property
    def posts(self) -> bool:
        """Whether its messages go by REST."""
        return self._pattern is not None

    @property
    def is_settled(self) -> bool:
        """Whether it is a member of any room, or there are no rooms to be in."""
        return bool(self._rooms) or not self._context.room_names

    # -- intents ------------------------------------------------------------------------------------------------

    @property
    def is_free(self) -> bool:
        """Whether there is no connection, neither open nor being opened."""
        return self._socket is None and not self._opening

    def forget(self) -> None:
        """From now on this is a fresh session, which knows nothing of what the one before heard."""
        if self._pattern is not None:
            self._pattern.forget()

    def open(self, due: int) -> None:
        """Connect and upgrade, after a login if there must be one; the listener hears the outcome in bounded time."""
        self.conn += 1
        self._due = due
        self._opening = True
        conn = self.conn
        self._context.access.admit(self.number, conn, lambda entry: self._admitted(entry, conn))

    def skip(self, due: int) -> None:
        """Record an opening that was due and that we did not get to."""
        self._context.recorder.row(
            Kind.OPEN,
            Outcome.ABANDONED,
            0,
            0,
            self.number,
            self.conn + 1,
            NO_ROOM,
            due=due,
            read=self._context.clock.now(),
        )

    def _admitted(self, entry: Entry | Denied, conn: int) -> None:
        if not self._opening or conn != self.conn:
            return  # it was given up while the login was under way
        context = self._context
        if isinstance(entry, Denied):
            now = context.clock.now()
            headers = (("Retry-After", entry.retry_after),) if entry.retry_after else ()
            why = Refusal(entry.outcome, entry.code, entry.text, headers=headers, body=entry.body)
            self.refused(why, 0, Arrival(now, now, 0))
            return
        if self._pattern is None:
            self._socket = context.connect(self, self.number, entry)
        else:
            self._socket = self._pattern.begin(self, entry)

    def join(self, room: int, done: Done, due: int = 0, *, remembered: bool = False) -> None:
        """Become a member of a room, as due at `due` (0: not planned). A protocol without joins makes a member at
        once; so does an endpoint that has `remembered` the membership over a reconnect.
        """
        if self.dialect.joins and not (remembered and (self._pattern is None or self._pattern.remembers)):
            self._request(Kind.JOIN, self.dialect.join, room, done, due)
            return
        if self.is_open:
            self._row(Kind.JOIN, OK, Flag.IMPLICIT, room, self._context.clock.now())
            self._enter(room)
        done(OK if self.is_open else Outcome.CLOSED, 0)

    def leave(self, room: int, done: Done, due: int = 0) -> None:
        """Give up membership, as due at `due` (0: not planned)."""
        if self.dialect.leaves or not self.is_open:
            self._request(Kind.LEAVE, self.dialect.leave, room, done, due)
            return
        self._row(Kind.LEAVE, OK, Flag.IMPLICIT, room, self._context.clock.now())
        self._exit(room)
        done(OK, 0)

    def ping(self, done: Done | None = None, due: int = 0) -> None:
        """Ask for an answer at the application's level, as due at `due` (0: not planned).

        Raises:
            UsageError: the protocol, as described, has no pings.
        """
        if not self.dialect.pings:
            raise UsageError(
                "the scenario pings, and the protocol has no ping: describe it in [endpoint.json] ping and pong "
                "(the pattern polling has none)"
            )
        self._request(Kind.PING, self.dialect.ping, NO_ROOM, done, due)

    def publish(self, room: int, text: str, due: int, *, burst: bool = False, done: Done | None = None) -> None:
        """Send one message to a room; without an open connection it is recorded as abandoned."""
        context = self._context
        flags = Flag.BURST if burst else 0
        if not self.is_open or self._socket is None:
            self.abandon(room, due, flags)
            if done:
                done(Outcome.ABANDONED, 0)
            return
        receipt = self._receipt(PUBLISH, due, room, flags, done=done)
        data = self.dialect.publish(self._message(receipt.seq, room, text))
        self._socket.send(data, receipt)
        if self.is_open:
            context.tally.published(self.number, receipt.seq, room, due, receipt.sent or context.clock.now())

    def abandon(self, room: int, due: int, flags: int = 0) -> None:
        """Record a message that was due and could not be sent."""
        self._seq += 1
        self._context.tally.abandoned += 1
        self._context.recorder.row(
            PUBLISH, Outcome.ABANDONED, flags, 0, self.number, max(0, self.conn), room, seq=self._seq, due=due
        )

    def probe(self, data: bytes, seq: int, damage: Damage, room: int, done: Done) -> None:
        """Send one malformed payload made from message number `seq`; one at a time, for its error may bear no id."""
        if not self.is_open or self._socket is None:
            done(Outcome.ABANDONED, 0)
            return
        self._probe = receipt = self._receipt(PROBE, 0, room, 0, peer=damage, done=done, seq=seq)
        self._socket.send(data, receipt)

    def next_message(self, room: int, text: str) -> Message:
        """A message with a number of its own, not sent: something to damage."""
        self._seq += 1
        return self._message(self._seq, room, text)

    def close(self, code: int = 1000) -> None:
        """Begin an orderly end."""
        if self._socket is not None:
            self._socket.close(code)

    def depart(self) -> None:
        """Leave every room, and close when the last leave is answered."""
        rooms = self._rooms
        left = len(rooms)

        def done(_outcome: Outcome, _code: int) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                self.close()

        for room in rooms:
            self.leave(room, done)
        if not rooms:
            self.close()

    def abort(self) -> None:
        """Break whatever connection there is, open or being opened."""
        if self._socket is not None:
            self._socket.reset()
        elif self._opening:
            now = self._context.clock.now()
            self.refused(Refusal(Outcome.ABANDONED, 0, "given up by us"), 0, Arrival(now, now, 0))

    def take_socket(self) -> Conversation | None:
        """The connection itself, for what breaks it on purpose; None when there is none open."""
        return self._socket if self.is_open else None

    # -- what the transport tells -------------------------------------------------------------------------------

    def opened(self, sent: int, when: Arrival, flags: int = 0) -> None:
        """The upgrade was accepted, or whatever else opens a conversation; IMPLICIT in `flags`: nothing was asked."""
        self.is_open = True
        self._opening = False
        self._context.tally.open_sessions += 1
        self._row(Kind.OPEN, OK, when.flags | flags, NO_ROOM, sent, when, due=self._due)
        self._copy("open", when.read - sent, OK, 0)
        if self.listener is not None:
            self.listener.opened()

    def refused(self, why: Refusal, sent: int, when: Arrival) -> None:
        """The connection did not open."""
        self._socket = None
        self._opening = False
        self._row(Kind.OPEN, why.outcome, when.flags, NO_ROOM, sent, when, due=self._due, code=why.code)
        again = False
        if why.outcome is not Outcome.ABANDONED:
            headers = {name: mask_header(name, value) for name, value in why.headers}
            self._context.recorder.evidence(
                when.read, "refused", why.code, why.text, status=why.status, headers=headers, body=why.body
            )
            again = self._context.access.refused(self.number, self.conn, why.status)
        self._copy("open", when.read - sent if sent else 0, why.outcome, why.code)
        if self.listener is not None:
            self.listener.refused(why, again)

    def closed(self, end: Ending, when: Arrival) -> None:
        """The connection was open and is no more."""
        self.is_open = False
        self._socket = None
        self._context.tally.open_sessions -= 1
        self._row(Kind.CLOSE, end.outcome, when.flags, NO_ROOM, end.began, when, code=end.code, peer=end.closer)
        if end.reason and end.closer not in (Closer.US, Closer.RESET):
            self._context.recorder.evidence(when.read, "closed", end.code, end.reason, closer=end.closer.name.lower())
        for room in self._rooms:
            self._exit(room)
        # A closing handshake of ours comes after all that we sent; any other end may have swallowed the last of it.
        orderly = end.closer is Closer.US and end.outcome is OK
        carried_until = when.read - (0 if orderly else UNCERTAIN_NS)
        for receipt in self.receipts.take_all():
            by_endpoint = end.closer in (Closer.ENDPOINT, Closer.FIN, Closer.RESET, Closer.SILENT)
            answered = when if receipt.kind is PROBE and by_endpoint else None
            done = self._is_done_unanswered(receipt, carried_until)
            self._finish(receipt, OK if done else Outcome.CLOSED, 0 if done else end.code, answered)
        if self.listener is not None:
            self.listener.closed(end, when)

    def ponged(self, pong: Pong, when: Arrival | None) -> None:
        """A keepalive ping has ended."""
        when = when or NOTHING_CAME
        self._context.recorder.row(
            Kind.KEEPALIVE, pong.outcome, when.flags, pong.code, self.number, self.conn, due=pong.due, sent=pong.sent,
            arrived=when.arrived, read=when.read,
        )  # fmt: skip

    def received(self, data: bytes, when: Arrival) -> None:
        """A whole message came."""
        context = self._context
        if data == context.last_frame:
            signals = context.last_signals
        else:
            signals = self.dialect.decode(data)
            context.last_frame, context.last_signals = data, signals
        for signal in signals:
            if signal.kind is IS_DELIVERY:
                self._delivered(signal, when, data)  # as heard() would, a call less on the hot path
            else:
                self.heard(signal, when, data)

    def heard(self, signal: Signal, when: Arrival, data: bytes = b"") -> None:
        """One past fact was read, out of these bytes."""
        kind = signal.kind
        if kind is IS_DELIVERY:
            self._delivered(signal, when, data)
        elif kind is IS_ACK or kind is IS_PONG:
            self._answered(signal, OK, when)
        elif kind is IS_ERROR:
            self._answered(signal, REJECTED, when)
        elif kind is SignalKind.GARBLED:
            self._stray(signal, Outcome.GARBLED, when)
        else:
            self._unmatched("none of ack, error, pong, delivery", data, when)

    def _unmatched(self, what: str, data: bytes, when: Arrival) -> None:
        """What arrived is of no use to us: count it, and keep the first few, for whoever described the protocol."""
        tally = self._context.tally
        tally.unmatched += 1
        if tally.unmatched <= EXAMPLES:
            shown = data[:EXAMPLE_BYTES].decode("utf-8", "replace")
            self._context.recorder.evidence(when.read, "unmatched", 0, f"{what}: {shown}")

    def _elsewhere(self, named: str, when: Arrival) -> int:
        """A delivery names a room that the plan has not: keep the first few names, for whoever has to find out why."""
        tally = self._context.tally
        tally.elsewhere += 1
        if tally.elsewhere <= EXAMPLES:
            self._context.recorder.evidence(when.read, "elsewhere", 0, named[:EXAMPLE_BYTES])
        return Flag.ELSEWHERE

    def awaits(self, receipt: Receipt) -> bool:
        """Whether the answer to this request is still waited for."""
        return self.receipts.get(receipt.seq) is receipt

    def answered(self, receipt: Receipt, outcome: Outcome, code: int, reason: str, when: Arrival | None) -> None:
        """A request was answered by an HTTP answer of its own, or got none."""
        if not self.awaits(receipt):
            self._context.tally.late_answers += when is not None
            return
        self.receipts.pop(receipt.seq, None)
        if outcome in (REJECTED, Outcome.GARBLED) and reason and when is not None:
            self._context.recorder.evidence(when.read, "error", code, reason)
        self._finish(receipt, outcome, code, when)

    def fetched(
        self, room: int, outcome: Outcome, code: int, messages: int, due: int, sent: int, when: Arrival
    ) -> None:  # fmt: skip
        """One poll of a room has ended; it brought so many messages."""
        self._context.recorder.row(
            Kind.FETCH, outcome, when.flags, code, self.number, self.conn, room, seq=messages, due=due, sent=sent,
            arrived=when.arrived, read=when.read,
        )  # fmt: skip

    # -- answers ------------------------------------------------------------------------------------------------

    def _delivered(self, signal: Signal, when: Arrival, data: bytes) -> None:
        origin = self._context.senders.origin(signal)
        if origin is None:
            self._stray(signal, Outcome.NONE, when)
            self._unmatched(f"a delivery whose id is none of ours ({signal.id!r:.60})", data, when)
            return
        sender, seq = origin
        context = self._context
        room = context.room_numbers.get(signal.room, NO_ROOM)  # type: ignore[arg-type]  # None is no room either
        flags = when.flags
        if room == NO_ROOM and signal.room is not None and context.room_numbers:
            flags |= self._elsewhere(signal.room, when)
        context.recorder.row(
            DELIVERED, WELL, flags, 0, self.number, self.conn, room, sender, seq, 0, 0, when.arrived, when.read
        )  # fmt: skip
        context.tally.delivered(origin)
        if sender == self.number:
            receipt = self.receipts.get(seq)
            if receipt is not None and (self.dialect.acks == "delivery" or receipt.kind is PROBE):
                del self.receipts[seq]
                self._finish(receipt, OK, 0, when)

    def _answered(self, signal: Signal, outcome: Outcome, when: Arrival) -> None:
        text = signal.id
        receipt = seq = None
        if text is not None:
            seq = read_number(text.removeprefix(self._prefix))
            receipt = self.receipts.pop(seq, None) if seq is not None else None
        if receipt is None and outcome is REJECTED and self._probe is not None:
            # The damage may have destroyed the id; only one probe is under way.
            receipt = self.receipts.pop(self._probe.seq, None)
        if receipt is not None:
            if outcome is REJECTED and signal.reason:
                self._context.recorder.evidence(when.read, "error", signal.code, signal.reason)
            self._finish(receipt, outcome, signal.code, when)
        elif seq is not None:
            # Given up as expired; or answered before in another way, as a probe is by its own delivery.
            self._context.tally.late_answers += self._given_up is not None and seq in self._given_up
        else:
            self._stray(signal, Outcome.NONE, when)

    def _stray(self, signal: Signal, outcome: Outcome, when: Arrival) -> None:
        context = self._context
        context.recorder.row(
            Kind.STRAY, outcome, when.flags, signal.kind, self.number, self.conn, seq=signal.code,
            arrived=when.arrived, read=when.read,
        )  # fmt: skip
        if signal.reason:
            context.recorder.evidence(when.read, "error", signal.code, signal.reason)

    def expire(self, now_ns: int) -> None:
        """Give up what has waited longer than the plan's answer timeout."""
        for receipt in self.receipts.expired(now_ns):
            done = self._is_done_unanswered(receipt, now_ns)
            if not done:
                self._given_up = self._given_up or set()
                self._given_up.add(receipt.seq)
            self._finish(receipt, OK if done else Outcome.EXPIRED, 0, None)

    def _is_done_unanswered(self, receipt: Receipt, carried_until: int) -> bool:
        """Whether this is a message without an ack, for which being sent by then is all there is to succeed at."""
        unacked = receipt.kind is PUBLISH and self.dialect.acks == "none"
        return unacked and 0 < receipt.sent <= carried_until

    def _finish(self, receipt: Receipt, outcome: Outcome, code: int, when: Arrival | None) -> None:
        """One operation has ended: record it, then tell who asked."""
        context = self._context
        when = when or NOTHING_CAME
        arrived, kind = when.arrived, receipt.kind
        context.recorder.row(
            PUBLISHED if kind is PUBLISH else kind, WELL if outcome is OK else outcome, receipt.flags | when.flags,
            code, self.number, receipt.conn, receipt.room, receipt.peer, receipt.seq, receipt.due, receipt.sent,
            arrived, when.read,
        )  # fmt: skip
        if receipt is self._probe:
            self._probe = None
        if kind is PUBLISH:
            if outcome is OK:
                context.tally.accepted(self.number, receipt.seq, arrived - receipt.due if arrived else None)
            else:
                context.tally.refused(self.number, receipt.seq)
                context.tally.rejected += outcome is REJECTED
        elif kind is Kind.JOIN and outcome is OK:
            self._enter(receipt.room)
        elif kind is Kind.LEAVE:
            self._exit(receipt.room)
        if context.mirror is not None and arrived:
            context.mirror(kind.name.lower(), arrived - (receipt.due or receipt.sent), outcome, code)
        if receipt.done is not None:
            receipt.done(outcome, code)

    # -- small things -------------------------------------------------------------------------------------------

    def _enter(self, room: int) -> None:
        if room not in self._rooms:
            self._rooms = (*self._rooms, room)
            self._context.tally.joined(room, 1)

    def _exit(self, room: int) -> None:
        if room in self._rooms:
            self._rooms = tuple(each for each in self._rooms if each != room)
            self._context.tally.joined(room, -1)

    def _request(
        self, kind: Kind, encode: Callable[[Message], bytes], room: int, done: Done | None, due: int = 0
    ) -> None:
        if not self.is_open or self._socket is None:
            if done:
                done(Outcome.CLOSED, 0)
            return
        receipt = self._receipt(kind, due, room, 0, done=done)
        self._socket.send(encode(self._message(receipt.seq, room, "")), receipt)

    def _receipt(
        self, kind: Kind, due: int, room: int, flags: int, *, peer: int = NO_PEER, done: Done | None = None,
        seq: int | None = None,
    ) -> Receipt:  # fmt: skip
        if seq is None:
            self._seq += 1
            seq = self._seq
        expires = self._context.clock.now() + self._context.answer_timeout_ns
        receipt = Receipt(kind, seq, self.conn if self.conn > 0 else 0, due, expires, room, flags, peer, done)
        self.receipts[seq] = receipt
        return receipt

    def _message(self, seq: int, room: int, text: str) -> Message:
        context = self._context
        return Message(  # by place: names would cost half a microsecond; and large numbers take long to divide
            f"{self._prefix}{seq}", seq, context.room_names[room] if room != NO_ROOM else "", text,
            self._name, self.number, self.conn, int(time.time() * 1000),
        )  # fmt: skip

    def _row(
        self, kind: Kind, outcome: Outcome, flags: int, room: int, sent: int, when: Arrival | None = None, *,
        due: int = 0, code: int = 0, peer: int = NO_PEER,
    ) -> None:  # fmt: skip
        arrived, read = (when.arrived, when.read) if when else (sent, sent)
        self._context.recorder.row(
            kind, outcome, flags, code, self.number, self.conn, room, peer, 0, due, sent, arrived, read
        )

    def _copy(self, name: str, took_ns: int, outcome: Outcome, code: int) -> None:
        if self._context.mirror is not None:
            self._context.mirror(name, took_ns, outcome, code)
