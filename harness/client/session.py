"""One client: open, join, publish, probe, leave, close; answers are matched by id (`matching`) and recorded
(`session_log`).

It carries out one intent at a time, without ever blocking, and tells `done` how it ended. Subtle: everything may happen
again from within a callback (a send that fails ends the connection, which ends every receipt), so a receipt is
registered before its message is sent, and state is changed before any callback.

Longer than other modules, because intents and the transport's events act on the same few fields.
"""

import time
from collections.abc import Callable
from typing import Protocol as Interface

from ..auth import Denied, Entry
from ..errors import UsageError
from ..record.row import NO_PEER, NO_ROOM, Closer, Damage, Flag, Kind, Misfit, Outcome, SignalKind
from ..transport.events import Arrival, Ending, Pong, Refusal
from ..units import SECOND
from ..wire import Message
from ..wire.ids import message_id, message_prefix, session_name
from ..wire.signal import Signal
from .context import Context
from .matching import Matching
from .patterns.conversation import Conversation, Pattern
from .receipts import Done, Receipt
from .session_log import NOTHING_CAME

UNCERTAIN_NS = SECOND
"""What was sent so shortly before a connection broke may never have reached the endpoint."""

# Looking an enum's member up takes 70 ns in Python 3.11, a global 2: what each message needs is looked up once.
PUBLISH, PROBE = Kind.PUBLISH, Kind.PROBE
OK, REJECTED, OWN_TEXT = Outcome.OK, Outcome.REJECTED, Flag.OWN_TEXT
IS_DELIVERY, IS_ACK, IS_PONG, IS_ERROR = SignalKind.DELIVERY, SignalKind.ACK, SignalKind.PONG, SignalKind.ERROR


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
        "_context", "_due", "_is_arriving", "_log", "_matching", "_name", "_opened_ns", "_opening", "_pattern",
        "_rooms", "_socket", "conn", "dialect", "is_open", "listener", "number",
    )  # fmt: skip

    def __init__(self, context: Context, number: int, pattern: Pattern | None = None) -> None:
        self._context = context
        self._log = context.log
        self._pattern = pattern
        self._name = session_name(context.nonce, number)
        self._socket: Conversation | None = None
        self._rooms: tuple[int, ...] = ()
        self._due = 0
        self._opening = False
        self._opened_ns = 0
        """When the answer to the upgrade arrived."""
        self._is_arriving = False
        """Whether the listener is being told that a connection is open."""
        self.number = number
        self.conn = -1
        """The number of the present or last connection, from 0; -1 before the first."""
        self.is_open = False
        self.dialect = pattern.dialect if pattern is not None else context.dialect
        self._matching = Matching(message_prefix(self._name), self.dialect.plain_ids)
        self.listener: SessionListener | None = None
        """Who hears that a connection opened, was refused, or ended."""

    @property
    def is_waiting(self) -> bool:
        """Whether any request waits for its answer."""
        return bool(self._matching.receipts)

    @property
    def expects(self) -> bool:
        """Whether it is being opened, or any answer may still come: to a message without an ack none does."""
        return self._opening or bool(self._expected())

    @property
    def rooms(self) -> frozenset[int]:
        """The rooms it is a member of."""
        return frozenset(self._rooms)

    @property
    def token_has_expired(self) -> bool:
        """Whether the token of the latest connection has expired, or is about to, and the next one gets another."""
        access = self._context.access
        return access.is_renewable and 0 < access.expires_ns(self.number) <= self._context.clock.now() + SECOND

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
        self._matching.forget()
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
        self._log.skipped(self, due, self._context.clock.now())

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
            self._check_room(room)
            # The endpoint may deliver from its answer to the upgrade on, which was there before we looked.
            now, opened = self._context.clock.now(), self._opened_ns
            self._log.implied(self, Kind.JOIN, room, opened, opened if self._is_arriving else now, now)
            self._enter(room)
        done(OK if self.is_open else Outcome.CLOSED, 0)

    def _check_room(self, room: int) -> None:
        """Where the url or the like names the room, opening is joining, and there is nothing else to join.

        Raises:
            UsageError: the connection is to another room.
        """
        context = self._context
        if context.access.room_of is not None and context.access.room_of(self.number) != context.room_names[room]:
            raise UsageError(
                f"the scenario joins {context.room_names[room]}, and the connection is to "
                f"{context.access.room_of(self.number)}: {context.plan.endpoint.room_key} holds {{room}}"
            )

    def leave(self, room: int, done: Done, due: int = 0) -> None:
        """Give up membership, as due at `due` (0: not planned)."""
        if self.dialect.leaves or not self.is_open:
            self._request(Kind.LEAVE, self.dialect.leave, room, done, due)
            return
        now = self._context.clock.now()
        self._log.implied(self, Kind.LEAVE, room, now, now, now)
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

    def publish(
        self, room: int, text: str, due: int = 0, *, burst: bool = False, done: Done | None = None
    ) -> None:  # fmt: skip
        """Send one message to a room, as due at `due` (0: not planned); without an open connection it is abandoned."""
        context = self._context
        flags = Flag.BURST if burst else 0
        if not self.is_open or self._socket is None:
            self.abandon(room, due, flags)
            if done:
                done(Outcome.ABANDONED, 0)
            return
        texts = context.texts
        if text is not texts.sign:
            flags |= OWN_TEXT
        receipt = self._receipt(PUBLISH, due, room, flags, done)
        if text is texts.sign:
            text = texts.of(self.number, receipt.seq)
        data = self.dialect.publish(self._message(receipt.seq, room, text))
        self._socket.send(data, receipt)
        if self.is_open:
            self._log.tally.published(self.number, receipt.seq, room, due, receipt.sent or context.clock.now())

    def abandon(self, room: int, due: int, flags: int = 0) -> None:
        """Record a message that was due and could not be sent."""
        self._log.abandoned(self, self._matching.next_seq(), room, due, flags)

    def probe(self, data: bytes, seq: int, damage: Damage, room: int, done: Done) -> None:
        """Send one malformed payload made from message number `seq`; one at a time, as its error may have no id."""
        if not self.is_open or self._socket is None:
            done(Outcome.ABANDONED, 0)
            return
        self._matching.probe = receipt = self._receipt(PROBE, 0, room, 0, done, damage, seq)
        self._socket.send(data, receipt)

    def next_message(self, room: int, text: str) -> Message:
        """A message with a number of its own, not sent: something to damage."""
        return self._message(self._matching.next_seq(), room, text)

    def close(self, code: int = 1000) -> None:
        """Begin an orderly end."""
        if self._socket is not None:
            self._socket.close(code)

    def depart(self) -> None:
        """Leave every room, and close when nothing is waited for: every leave, and what was asked before, has ended."""
        rooms, asked = self._rooms, self._expected()
        left = len(rooms) + len(asked)

        def done(_outcome: Outcome, _code: int) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                self.close()

        for receipt in asked:
            receipt.done = _both(receipt.done, done)
        for room in rooms:
            self.leave(room, done)
        if not left:
            self.close()

    def give_up(self) -> None:
        """Stop waiting before the time-outs: what became of the open requests is not known."""
        until = self._context.clock.now() - UNCERTAIN_NS
        for receipt in self._matching.receipts.take_all():
            done = self._is_done_unanswered(receipt, until)
            if not done:
                self._matching.give_up(receipt)
            self._finish(receipt, OK if done else Outcome.ABANDONED, 0, None)

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
        self._opened_ns = when.arrived
        expires = 0 if flags & Flag.IMPLICIT else self._context.access.expires_ns(self.number)
        self._log.opened(self, self._due, sent, when, flags, expires)
        if self.listener is not None:
            self._is_arriving = True
            self.listener.opened()
            self._is_arriving = False

    def refused(self, why: Refusal, sent: int, when: Arrival) -> None:
        """The connection did not open."""
        self._socket = None
        self._opening = False
        self._log.refused(self, why, self._due, sent, when)
        again = why.outcome is not Outcome.ABANDONED and self._context.access.refused(
            self.number, self.conn, why.status
        )
        if self.listener is not None:
            self.listener.refused(why, again)

    def closed(self, end: Ending, when: Arrival) -> None:
        """The connection was open and is no more."""
        self.is_open = False
        self._socket = None
        self._log.closed(self, end, when)
        for room in self._rooms:
            self._exit(room)
        # A closing handshake of ours comes after all that we sent; any other end may have swallowed the last of it.
        orderly = end.closer is Closer.US and end.outcome is OK
        carried_until = when.read - (0 if orderly else UNCERTAIN_NS)
        for receipt in self._matching.receipts.take_all():
            by_endpoint = end.closer in (Closer.ENDPOINT, Closer.FIN, Closer.RESET, Closer.SILENT)
            answered = when if receipt.kind is PROBE and by_endpoint else None
            done = self._is_done_unanswered(receipt, carried_until)
            if not done:
                self._matching.give_up(receipt)
            self._finish(receipt, OK if done else Outcome.CLOSED, 0 if done else end.code, answered)
        self._matching.unattributed = None
        if self.listener is not None:
            self.listener.closed(end, when)

    def ponged(self, pong: Pong, when: Arrival | None) -> None:
        """A keepalive ping has ended."""
        self._log.ponged(self, pong, when)

    def received(self, data: bytes, when: Arrival) -> None:
        """A whole message came."""
        frames = self._context.frames
        if data == frames.data:
            signals = frames.signals
        else:
            frames.signals = signals = self.dialect.decode(data)
            frames.data = data
            frames.beyond = self._log.unrecognised.beyond(data, signals)
        if frames.beyond:
            self._log.unrecognised.named(self, signals[0].kind, frames.beyond, when)
        for signal in signals:
            kind = signal.kind
            if kind is IS_DELIVERY:  # this and the next as heard() would, with fewer calls on the hot path
                senders = self._context.senders
                origin = senders.origin(signal)
                if origin is not None and origin[0] != self.number:
                    self._log.delivered(self, origin, signal.room, senders.content, when)
                else:
                    self._delivered(signal, when, data)
            elif kind is IS_ACK:
                self._answered(signal, OK, when, data)
            else:
                self.heard(signal, when, data)

    def heard(self, signal: Signal, when: Arrival, data: bytes = b"") -> None:
        """One past fact was read, out of these bytes."""
        kind = signal.kind
        if kind is IS_DELIVERY:
            self._delivered(signal, when, data)
        elif kind is IS_ACK or kind is IS_PONG:
            self._answered(signal, OK, when, data)
        elif kind is IS_ERROR:
            self._answered(signal, REJECTED, when, data)
        elif kind is SignalKind.GARBLED:
            self._log.stray(self, signal, Outcome.GARBLED, when, data)
        else:
            self._log.unmatched(self, data, when)

    def awaits(self, receipt: Receipt) -> bool:
        """Whether the answer to this request is still waited for."""
        return self._matching.awaits(receipt)

    def answered(self, receipt: Receipt, outcome: Outcome, code: int, reason: str, when: Arrival | None) -> None:
        """A request was answered by an HTTP answer of its own, or got none."""
        if not self._matching.awaits(receipt):
            if when is not None:
                self._log.came_late()
            return
        del self._matching.receipts[receipt.seq]
        if outcome in (REJECTED, Outcome.GARBLED) and when is not None:
            self._log.error(code, reason, when)
        self._finish(receipt, outcome, code, when)

    def fetched(
        self, room: int, outcome: Outcome, code: int, messages: int, due: int, sent: int, when: Arrival
    ) -> None:  # fmt: skip
        """One poll of a room has ended; it brought `messages` of them."""
        self._log.fetched(self, room, outcome, code, messages, due, sent, when)

    # -- answers ------------------------------------------------------------------------------------------------

    def _delivered(self, signal: Signal, when: Arrival, data: bytes) -> None:
        origin = self._context.senders.origin(signal)
        if origin is None and self._context.senders.is_of_check(signal):
            return
        if origin is None:
            self._log.foreign(self, signal, self._context.plan.load.sessions, when, data)
            return
        self._log.delivered(self, origin, signal.room, self._context.senders.content, when)
        if origin[0] == self.number:
            receipts = self._matching.receipts
            receipt = receipts.get(origin[1])
            if receipt is not None and (self.dialect.acks == "delivery" or receipt.kind is PROBE):
                del receipts[receipt.seq]
                self._finish(receipt, OK, 0, when)

    def _answered(self, signal: Signal, outcome: Outcome, when: Arrival, data: bytes) -> None:
        receipt = self._matching.take(signal.id)
        if receipt is None and (outcome is REJECTED or (signal.kind is IS_ACK and not signal.id)):
            receipt = self._take_probe()
        if receipt is None:
            receipt = self._unnamed(signal, outcome, when, data)
        if receipt is not None:
            if outcome is REJECTED:
                self._log.error(signal.code, signal.reason, when)
            self._finish(receipt, outcome, signal.code, when)

    def _take_probe(self) -> Receipt | None:
        """The probe under way, unless what is older comes first."""
        return self._matching.take_probe() if not self._context.answers_in_order else None

    def _unnamed(self, signal: Signal, outcome: Outcome, when: Arrival, data: bytes) -> Receipt | None:
        """Take the request that an answer belongs to which names no open one; None where that cannot be said."""
        matching = self._matching
        why = self._misfit(signal)
        if why is None:
            return None
        if why in (Misfit.LACKS_ID, Misfit.HAS_NONE, Misfit.UNKNOWN):
            by_frame = self._pattern is None and (outcome is REJECTED or self.dialect.acks == "frame")
            asked = matching.answerable(signal.kind, by_frame)
            in_order = self._context.answers_in_order and self.dialect.acks != "none"
            if asked and (in_order or (outcome is REJECTED and len(asked) == 1)):
                receipt = asked[0]
                del matching.receipts[receipt.seq]
                if not in_order:
                    receipt.flags |= Flag.NAMELESS
                    if why is Misfit.LACKS_ID:
                        self._log.stray(self, signal, Outcome.NONE, when, data, why=why)
                return receipt
            if asked and outcome is REJECTED:
                matching.unattributable()
        self._log.stray(self, signal, Outcome.NONE, when, data, why=why)
        return None

    def _misfit(self, signal: Signal) -> Misfit | None:
        """Why an answer names no open request; None where it came too late, which is counted here, or does no harm."""
        matching, named = self._matching, signal.id
        if not named:
            in_order = self._context.answers_in_order
            return Misfit.HAS_NONE if named is not None or in_order else Misfit.LACKS_ID
        seq = matching.number(named)
        if seq is None:
            return Misfit.OTHERS if self._context.senders.origin(signal) is not None else Misfit.UNKNOWN
        if matching.is_late(seq):
            self._log.came_late()
            return None
        if seq <= matching.forgotten:
            return None
        if seq > matching.seq:
            return Misfit.UNKNOWN
        # Where no frame confirms a message, this one may be a confirmation all the same.
        return Misfit.AGAIN if self.dialect.acks == "frame" or signal.kind is IS_ERROR else None

    def expire(self, now_ns: int) -> None:
        """Give up what has waited longer than the plan's answer timeout."""
        for receipt in self._matching.receipts.expired(now_ns):
            done = self._is_done_unanswered(receipt, now_ns)
            if not done:
                self._matching.give_up(receipt)
            self._finish(receipt, OK if done else Outcome.EXPIRED, 0, None)

    def _expected(self) -> list[Receipt]:
        """The open requests that an answer may still come to."""
        receipts = self._matching.receipts
        if self.dialect.acks != "none":
            return list(receipts.values())
        return [receipt for receipt in receipts.values() if receipt.kind is not PUBLISH]

    def _is_done_unanswered(self, receipt: Receipt, carried_until: int) -> bool:
        """Whether this is a message without an ack, for which being sent by then is all there is to succeed at."""
        if self._matching.unattributed and self._claims(receipt):
            return False
        unacked = receipt.kind is PUBLISH and self.dialect.acks == "none"
        return unacked and 0 < receipt.sent <= carried_until

    def _claims(self, receipt: Receipt) -> bool:
        """Whether an error that named no request may have been the answer to this one; then it is marked."""
        posted = receipt.kind is PUBLISH and self._pattern is not None
        if posted or receipt.kind is PROBE or not self._matching.claim(receipt):
            return False
        receipt.flags |= Flag.NAMELESS
        return True

    def _finish(self, receipt: Receipt, outcome: Outcome, code: int, when: Arrival | None) -> None:
        """One operation has ended: record it, then tell who asked."""
        self._log.ended(self, receipt, outcome, code, when or NOTHING_CAME)
        kind = receipt.kind
        if kind is not PUBLISH:
            if kind is Kind.JOIN and outcome is OK:
                self._enter(receipt.room)
            elif kind is Kind.LEAVE:
                self._exit(receipt.room)
            elif receipt is self._matching.probe:
                self._matching.probe = None
        if receipt.done is not None:
            receipt.done(outcome, code)

    # -- small things -------------------------------------------------------------------------------------------

    def _enter(self, room: int) -> None:
        if room not in self._rooms:
            self._rooms = (*self._rooms, room)
            self._log.tally.joined(room, 1)

    def _exit(self, room: int) -> None:
        if room in self._rooms:
            self._rooms = tuple(each for each in self._rooms if each != room)
            self._log.tally.joined(room, -1)

    def _request(
        self, kind: Kind, encode: Callable[[Message], bytes], room: int, done: Done | None, due: int = 0
    ) -> None:
        if not self.is_open or self._socket is None:
            if done:
                done(Outcome.CLOSED, 0)
            return
        receipt = self._receipt(kind, due, room, 0, done)
        self._socket.send(encode(self._message(receipt.seq, room, "")), receipt)

    def _receipt(
        self,
        kind: Kind,
        due: int,
        room: int,
        flags: int,
        done: Done | None,
        peer: int = NO_PEER,
        seq: int | None = None,
    ) -> Receipt:
        matching, context = self._matching, self._context
        if seq is None:
            matching.seq = seq = matching.seq + 1
        expires = context.clock.now() + context.answer_timeout_ns
        receipt = Receipt(kind, seq, self.conn if self.conn > 0 else 0, due, expires, room, flags, peer, done)
        matching.receipts[seq] = receipt
        return receipt

    def _message(self, seq: int, room: int, text: str) -> Message:
        context = self._context
        return Message(  # by place: names would cost half a microsecond; and large numbers take long to divide
            message_id(self._name, seq), seq, context.room_names[room] if room != NO_ROOM else "", text,
            self._name, self.number, self.conn, int(time.time() * 1000),
        )  # fmt: skip


def _both(first: Done | None, second: Done) -> Done:
    """Tell both."""
    if first is None:
        return second
    before = first

    def tell(outcome: Outcome, code: int) -> None:
        before(outcome, code)
        second(outcome, code)

    return tell
