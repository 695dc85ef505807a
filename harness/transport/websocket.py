"""One WebSocket client connection: `websockets`' Sans-I/O core on a non-blocking socket under the hub's watchers.

It must not know sessions, dialects or records: it tells one listener what happened, with times. There is no greenlet
(DESIGN decision 1): everything here runs in hub callbacks, which must neither block nor switch, and each ends in
one guard, since the hub swallows what they raise. The subtle things: `sent` is read just before the system call that
takes the last byte of a message, so that no answer can precede it; and the listener hears of the end exactly once,
when it is decided, while the socket may linger a little for the endpoint to close its side first (RFC 6455 7.1.1).
"""

import socket
import struct
from collections import deque
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, Protocol
from typing import cast as typed

from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from ..clock import SECOND, Timer
from ..model import Closer, Flag, Outcome
from .frames import whole_texts
from .sockets import Address, Socket, Sockets, explain

CLOSE_TIMEOUT_NS = 5 * SECOND
LINGER_NS = SECOND
BODY_BYTES = 500
READ, WRITE = 1, 2
ORDERLY = (1000, 1001, 1005)
TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Arrival(NamedTuple):
    """When something came, and what that time is worth."""

    arrived: int
    read: int
    flags: int


class Refusal(NamedTuple):
    """Why a connection did not open; `code` is an HTTP status or an errno, by outcome."""

    outcome: Outcome
    code: int
    text: str
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


class Ending(NamedTuple):
    """How an open connection ended. `began` is when we began to close it (0: we did not)."""

    closer: Closer
    code: int
    reason: str
    outcome: Outcome
    began: int


class Listener(Protocol):
    """Who hears what happens on a connection; called from the hub, in order."""

    def opened(self, sent: int, when: Arrival) -> None:
        """The upgrade was accepted."""

    def refused(self, why: Refusal, sent: int, when: Arrival) -> None:
        """It did not open; nothing more will come."""

    def received(self, data: bytes, when: Arrival) -> None:
        """A whole text or binary message."""

    def closed(self, end: Ending, when: Arrival) -> None:
        """It was open and is no more; nothing more will come."""


class Stampable(Protocol):
    """What carries the time at which its message left."""

    sent: int


class Phase(IntEnum):
    """Where a connection stands."""

    CONNECTING = 0
    UPGRADING = 1
    OPEN = 2
    ENDED = 3
    """The listener knows; the socket may still linger."""
    GONE = 4


class WebSocket:
    """A connection to be; `connect` begins it."""

    __slots__ = (
        "_deadline", "_listener", "_parts", "_protocol", "_queue", "_reader", "_sockets", "_writer",
        "began", "phase", "sent", "socket",
    )  # fmt: skip

    def __init__(self, sockets: Sockets, listener: Listener) -> None:
        self._sockets = sockets
        self._listener = listener
        self._protocol: ClientProtocol = None  # type: ignore[assignment]  # from connect() on
        self._reader: Any = None
        self._writer: Any = None
        self._queue: deque[tuple[memoryview, Stampable | None]] | None = None
        self._parts: list[bytes] | None = None
        self._deadline: Timer | None = None
        self.socket: Socket = None
        self.phase = Phase.CONNECTING
        self.sent = 0
        """When the first SYN left."""
        self.began = 0

    # -- opening ------------------------------------------------------------------------------------------------

    def connect(
        self,
        address: Address,
        uri: WebSocketURI,
        headers: Mapping[str, str],
        subprotocols: Sequence[str],
        timeout_ns: int,
        max_message_bytes: int,
    ) -> None:
        """Begin to open; the listener hears `opened` or `refused` within `timeout_ns`, never from here."""
        self._protocol = protocol = ClientProtocol(
            uri, subprotocols=typed(list[Subprotocol], list(subprotocols)) or None, max_size=max_message_bytes
        )
        request = protocol.connect()
        for name, value in headers.items():
            if name in request.headers:
                del request.headers[name]
            request.headers[name] = value
        protocol.send_request(request)
        family, where = address
        self.sent = self._sockets.clock.now()
        self._deadline = self._sockets.clock.at(self.sent + timeout_ns, self._too_late)
        try:
            self.socket = self._sockets.make(family)
            code = self.socket.connect_ex(where)
        except OSError as error:
            code = error.errno or 0
        if code not in (0, 115):  # EINPROGRESS
            self._sockets.clock.at(self.sent, lambda: self._refuse(Outcome.CLOSED, code, explain(code)))
            return
        self._watch_writable(self._on_connected)

    def _on_connected(self) -> None:
        try:
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._refuse(Outcome.CLOSED, code, explain(code))
                return
            self._unwatch_writable()
            self.phase = Phase.UPGRADING
            self._reader = self._sockets.loop.io(self.socket.fileno(), READ)
            self._reader.start(self._on_readable)
            self._write(self._protocol.data_to_send())
        except BaseException as error:  # noqa: BLE001
            self._sockets.failure(error)

    def _too_late(self) -> None:
        if self.phase is Phase.CONNECTING:
            self._refuse(Outcome.EXPIRED, 0, "no TCP connection within endpoint.open_timeout_s")
        elif self.phase is Phase.UPGRADING:
            self._refuse(Outcome.EXPIRED, 0, "no answer to the upgrade request within endpoint.open_timeout_s")

    def _refuse(self, outcome: Outcome, code: int, text: str, response: Response | None = None,
                when: Arrival | None = None) -> None:  # fmt: skip
        if self.phase >= Phase.ENDED:
            return
        self._dispose()
        why = Refusal(outcome, code, text)
        if response is not None:
            body = (response.body or b"")[:BODY_BYTES].decode("utf-8", "replace")
            headers = tuple(response.headers.raw_items())
            why = Refusal(outcome, code, text, response.status_code, headers, body)
        now = self._sockets.clock.now()
        self._listener.refused(why, self.sent, when or Arrival(now, now, 0))

    def _upgraded(self, response: Response | None, when: Arrival) -> None:
        """Judge the answer to the upgrade."""
        wrong = self._protocol.handshake_exc
        if wrong is None:
            self._cancel_deadline()
            self.phase = Phase.OPEN
            self._parts = None
            self._listener.opened(self.sent, when)
        elif response is not None:
            expected = response.status_code == 101
            outcome = Outcome.GARBLED if expected else Outcome.REJECTED
            text = str(wrong) if expected else f"HTTP {response.status_code} {response.reason_phrase}".rstrip()
            self._refuse(outcome, response.status_code, text, response, when)
        elif self._parts is not None and self._parts[0] in TLS_RECORDS:
            self._refuse(Outcome.GARBLED, 0, "the answer looks like TLS: the endpoint wants wss://", when=when)
        elif isinstance(wrong.__cause__, EOFError):
            self._refuse(Outcome.CLOSED, 0, "the connection ended before an answer to the upgrade request", when=when)
        else:
            self._refuse(Outcome.GARBLED, 0, f"the answer to the upgrade request is not HTTP: {wrong}", when=when)

    # -- reading ------------------------------------------------------------------------------------------------

    def _on_readable(self) -> None:
        sockets = self._sockets
        try:
            try:
                count, arrived, read = sockets.receive(self.socket)
            except BlockingIOError:
                return
            except OSError as error:
                self._lost(error.errno or 0)
                return
            if self.phase is Phase.ENDED:
                if not count:
                    self._dispose()
                return
            protocol = self._protocol
            if self.phase is Phase.UPGRADING and self._parts is None:
                self._parts = [bytes(sockets.view[: min(count, 2)])]
            begin = 0
            if self.phase is Phase.OPEN and count and not protocol.reader.buffer and self._parts is None:
                begin = self._plain(count, arrived, read)
                if begin == count or self.phase is not Phase.OPEN:
                    return
            if count:
                protocol.receive_data(sockets.view[begin:count])  # type: ignore[arg-type]
            else:
                protocol.receive_eof()
            drained = count < len(sockets.buffer) and not protocol.reader.buffer
            self._digest(arrived, read, drained, not count)
        except BaseException as error:  # noqa: BLE001
            sockets.failure(error)

    def _plain(self, count: int, arrived: int, read: int) -> int:
        """Take the plain text messages that a read begins with; how many bytes they were."""
        sockets, protocol = self._sockets, self._protocol
        if protocol.state is not State.OPEN or protocol.current_size is not None:
            return 0
        messages, taken = whole_texts(sockets.view, count, protocol.max_message_size or count)
        if messages:
            bounded = Arrival(arrived, read, Flag.BOUNDED) if arrived else Arrival(read, read, 0)
            exact = taken == count < len(sockets.buffer) and arrived
            last = Arrival(arrived, read, Flag.EXACT) if exact else bounded
            for data in messages[:-1]:
                self._message(data, True, bounded)
            self._message(messages[-1], True, last)
        return taken

    def _digest(self, arrived: int, read: int, drained: bool, at_end: bool) -> None:
        """Tell the listener what the core made of one read."""
        protocol = self._protocol
        events = protocol.events_received()
        if protocol.writes:
            self._write(protocol.data_to_send())
        when = Arrival(arrived, read, Flag.EXACT if drained else Flag.BOUNDED) if arrived else Arrival(read, read, 0)
        if self.phase is Phase.UPGRADING and (events or protocol.handshake_exc is not None):
            response = events.pop(0) if events else None
            first = when if not events else self._bounded(when)
            self._upgraded(typed(Response | None, response), first)
        if events:
            bounded = self._bounded(when) if len(events) > 1 else when
            last = events[-1]
            for event in events:
                if self.phase is not Phase.OPEN:
                    return
                self._frame(typed(Frame, event), when if event is last else bounded)
        if self.phase is Phase.OPEN and (at_end or protocol.state is not State.OPEN):
            self._ending(when, at_end)

    @staticmethod
    def _bounded(when: Arrival) -> Arrival:
        return Arrival(when.arrived, when.read, Flag.BOUNDED) if when.flags else when

    def _frame(self, frame: Frame, when: Arrival) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if frame.fin:
                self._message(bytes(frame.data), opcode is Opcode.TEXT, when)
            else:
                self._parts = [b"t" if opcode is Opcode.TEXT else b"b", bytes(frame.data)]
        elif opcode is Opcode.CONT and self._parts is not None:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                kind, *parts = self._parts
                self._parts = None
                self._message(b"".join(parts), kind == b"t", when)

    def _message(self, data: bytes, text: bool, when: Arrival) -> None:
        if self.phase is not Phase.OPEN or self._protocol.state is State.CLOSED:
            return
        if text and not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError as error:
                # The Sans-I/O core leaves this check to us (RFC 6455 8.1).
                self._protocol.fail(1007, f"{error.reason} at position {error.start}")
                self._write(self._protocol.data_to_send())
                return
        self._listener.received(data, when)

    # -- ending -------------------------------------------------------------------------------------------------

    def _ending(self, when: Arrival, at_end: bool) -> None:
        """The core has left OPEN, or the stream has ended: decide who did it, once."""
        protocol = self._protocol
        received, ours = protocol.close_rcvd, protocol.close_sent
        if received is not None and (self.began or protocol.parser_exc is None):
            closer = Closer.ENDPOINT if not self.began else Closer.US
            self._end(closer, received.code, received.reason, when)
        elif self.began:
            if at_end:
                self._end(Closer.US, 1006, "the endpoint ended the connection without answering our close", when)
        elif at_end and ours is None:
            self._end(Closer.FIN, 1006, "", when)
        else:
            garbled = ours or Close(1002, "")
            self._end(Closer.GARBLED, garbled.code, garbled.reason, when)
        if at_end:
            self._dispose()

    def _end(self, closer: Closer, code: int, reason: str, when: Arrival) -> None:
        """Tell the listener, and let the socket linger until the endpoint closes its side."""
        if self.phase is not Phase.OPEN:
            return
        self.phase = Phase.ENDED
        self._cancel_deadline()
        self._deadline = self._sockets.clock.after(LINGER_NS, self._dispose)
        outcome = Outcome.OK if code in ORDERLY and closer in (Closer.US, Closer.ENDPOINT) else Outcome.CLOSED
        self._listener.closed(Ending(closer, code, reason, outcome, self.began), when)

    def _lost(self, code: int) -> None:
        """The kernel says that the connection is broken."""
        if self.phase in (Phase.CONNECTING, Phase.UPGRADING):
            self._refuse(Outcome.CLOSED, code, explain(code))
            return
        now = self._sockets.clock.now()
        self._end(Closer.US if self.began else Closer.RESET, code, explain(code), Arrival(now, now, 0))
        self._dispose()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; `closed` comes when the endpoint has answered, or after 5 s."""
        if self.phase is Phase.OPEN and not self.began and self._protocol.state is State.OPEN:
            self.began = self._sockets.clock.now()
            self._protocol.send_close(code, reason)
            self._cancel_deadline()
            self._deadline = self._sockets.clock.after(CLOSE_TIMEOUT_NS, self._close_unanswered)
            self._write(self._protocol.data_to_send())
        elif self.phase < Phase.OPEN:
            self.reset()

    def _close_unanswered(self) -> None:
        now = self._sockets.clock.now()
        self._end(Closer.US, 1006, "no answer to our close within 5 s", Arrival(now, now, 0))
        self._dispose()

    def reset(self) -> None:
        """Break the connection with a TCP reset, at once."""
        self._give_up("reset by us", Outcome.ABANDONED)
        if self.socket is not None and self.socket.fileno() >= 0:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._dispose()

    def half_close(self) -> None:
        """End our half of the stream with a FIN and no close frame, as a process that exits does."""
        if self.phase is Phase.OPEN:
            self.socket.shutdown(socket.SHUT_WR)
            self._give_up("ended by us without a close frame", Outcome.ABANDONED)

    def silence(self) -> None:
        """Stop reading and sending for good, keeping the socket open; end it with `reset` later."""
        self._give_up("silenced by us", Outcome.ABANDONED)
        self._cancel_deadline()
        self._stop_watching()

    def _give_up(self, reason: str, refused: Outcome) -> None:
        now = self._sockets.clock.now()
        when = Arrival(now, now, 0)
        if self.phase is Phase.OPEN:
            self.began = self.began or now
            self._end(Closer.US, 1006, reason, when)
        elif self.phase < Phase.OPEN:
            self.phase = Phase.ENDED
            self._cancel_deadline()
            self._listener.refused(Refusal(refused, 0, reason), self.sent, when)

    # -- writing ------------------------------------------------------------------------------------------------

    def send(self, data: bytes, message: Stampable | None = None, *, binary: bool = False) -> bool:
        """Send one message; `message.sent` is stamped when the kernel takes its last byte, now or later.

        Returns:
            False when the connection is not open (any more) and nothing was sent.
        """
        protocol = self._protocol
        if self.phase is not Phase.OPEN or protocol.state is not State.OPEN or self.began:
            return False
        if binary:
            protocol.send_binary(data)
            self._write(protocol.data_to_send(), message)
        else:
            self._write((self._sockets.masker.text(data),), message)
        return True

    def _write(self, chunks: Sequence[bytes], message: Stampable | None = None) -> None:
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if not data:
            return  # the core's sign for "end the stream": we close the socket when the endpoint has
        if self._queue:
            self._queue.append((memoryview(data), message))
            self._sockets.unsent_bytes += len(data)
            return
        now = self._sockets.clock.now()
        try:
            count = self.socket.send(data)
        except BlockingIOError:
            count = 0
        except OSError as error:
            self._lost(error.errno or 0)
            return
        if count == len(data):
            if message is not None:
                message.sent = now
            return
        self._queue = deque([(memoryview(data)[count:], message)])
        self._sockets.unsent_bytes += len(data) - count
        self._watch_writable(self._on_writable)

    def _on_writable(self) -> None:
        try:
            queue = self._queue
            while queue:
                data, message = queue[0]
                now = self._sockets.clock.now()
                try:
                    count = self.socket.send(data)
                except BlockingIOError:
                    return
                except OSError as error:
                    self._lost(error.errno or 0)
                    return
                self._sockets.unsent_bytes -= count
                if count < len(data):
                    queue[0] = (data[count:], message)
                    return
                queue.popleft()
                if message is not None:
                    message.sent = now
            self._queue = None
            self._unwatch_writable()
        except BaseException as error:  # noqa: BLE001
            self._sockets.failure(error)

    # -- watchers -----------------------------------------------------------------------------------------------

    def _watch_writable(self, callback: Any) -> None:
        self._writer = self._sockets.loop.io(self.socket.fileno(), WRITE)
        self._writer.start(callback)

    def _unwatch_writable(self) -> None:
        if self._writer is not None:
            self._writer.stop()
            self._writer.close()
            self._writer = None

    def _stop_watching(self) -> None:
        self._unwatch_writable()
        if self._reader is not None:
            self._reader.stop()
            self._reader.close()
            self._reader = None
        if self._queue:
            self._sockets.unsent_bytes -= sum(len(data) for data, _ in self._queue)
        self._queue = None

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _dispose(self) -> None:
        """Give everything back to the system; silent, and harmless when done before."""
        self.phase = Phase.GONE
        self._cancel_deadline()
        self._stop_watching()
        if self.socket is not None:
            self.socket.close()
