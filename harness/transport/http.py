"""One HTTP/1.1 client connection: `h11`'s Sans-I/O core on a non-blocking socket under the hub's watchers.

One request at a time; kept alive between requests and dialled again when the endpoint has closed it. It must not know
sessions, rooms or records: who asked is told the answer, or why there is none, with times. There is no greenlet (DESIGN
decision 1). The subtle things: an endpoint may close an idle connection at the very moment at which we use it again, so
a GET that got not one byte of an answer on a used connection is sent once more on a new one (RFC 9110 9.2.2; a POST
is not, it may have been carried out); and what is told may ask again at once, so state is changed before.
"""

import socket
from collections.abc import Callable
from typing import Any

import h11

from ..clock import Timer
from ..model import Flag, Outcome
from ..wire.exchange import Answer, Failure, Request
from .events import Arrival, Stampable
from .options import Address
from .sockets import Socket, Sockets, explain
from .stream import READ, RESET_ON_CLOSE, WRITE
from .websocket import LINGER_NS

EINPROGRESS = 115
IDEMPOTENT = ("GET", "HEAD")

Heard = Callable[[Answer | Failure, Arrival], None]
"""Told the answer, or why there is none, exactly once; never from within `ask`."""
Dialled = Callable[[Failure | None, int, Arrival], None]
"""Told that the connection stands (None) or why not, with the time of the SYN; never from within `dial`."""


class _Asked:
    """The one request in flight."""

    __slots__ = ("again", "began", "data", "head", "heard", "length", "message", "parts", "request")

    def __init__(self, request: Request, heard: Heard, message: Stampable | None) -> None:
        self.request = request
        self.heard = heard
        self.message = message
        self.data = memoryview(b"")
        self.head: h11.Response | None = None
        self.parts: list[bytes] = []
        self.length = 0
        self.began = False
        """Whether any byte of an answer has come."""
        self.again = request.method in IDEMPOTENT
        """Whether it may be sent once more."""


class HttpConnection:
    """A connection to one address; `host` is what the Host header says."""

    __slots__ = (
        "_address", "_asked", "_core", "_deadline", "_dialled", "_host", "_longest", "_reader", "_sockets",
        "_syn", "_used", "_writer", "socket",
    )  # fmt: skip

    def __init__(self, sockets: Sockets, address: Address, host: str, max_body_bytes: int) -> None:
        self._sockets = sockets
        self._address = address
        self._host = host
        self._longest = max_body_bytes
        self._core: h11.Connection | None = None
        self._asked: _Asked | None = None
        self._dialled: Dialled | None = None
        self._deadline: Timer | None = None
        self._reader: Any = None
        self._writer: Any = None
        self._used = False
        self._syn = 0
        self.socket: Socket = None

    @property
    def is_busy(self) -> bool:
        """Whether a request is in flight, or the connection is being made."""
        return self._asked is not None or self._dialled is not None

    @property
    def is_connected(self) -> bool:
        """Whether a request could go out at once."""
        return self._core is not None

    # -- asking -------------------------------------------------------------------------------------------------

    def dial(self, dialled: Dialled, timeout_ns: int) -> None:
        """Connect, with nothing asked yet."""
        self._dialled = dialled
        self._deadline = self._sockets.clock.after(timeout_ns, self._too_late)
        self._connect()

    def ask(self, request: Request, heard: Heard, timeout_ns: int, message: Stampable | None = None) -> None:
        """Send one request, on a new connection if need be; `message.sent` is stamped as its last byte leaves.

        Raises:
            ValueError: the last one has not been answered.
        """
        if self.is_busy:
            raise ValueError("one request at a time: the last one has not been answered")
        self._asked = _Asked(request, heard, message)
        self._deadline = self._sockets.clock.after(timeout_ns, self._too_late)
        if self._core is None:
            self._connect()
        else:
            self._request()

    def _request(self) -> None:
        """The connection stands: send what is asked."""
        core, asked = self._core, self._asked
        if core is None or asked is None:
            return
        method, target, headers, body = asked.request
        given: list[tuple[str, str]] = [("Host", self._host), *headers]
        if body or method == "POST":
            given.append(("Content-Length", str(len(body))))
        try:
            data = core.send(h11.Request(method=method, target=target, headers=given)) or b""
            if body:
                data += core.send(h11.Data(data=body)) or b""
            data += core.send(h11.EndOfMessage()) or b""
        except h11.LocalProtocolError as error:
            # A header or target of the plan's with a sign that HTTP has no place for; soon, not from within `ask`.
            text = f"the request cannot be written as HTTP: {error}"
            self._soon(asked, lambda: self._fail(Outcome.GARBLED, 0, text))
            return
        asked.data = memoryview(data)
        self._write()

    # -- connecting ---------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        family, where = self._address
        clock = self._sockets.clock
        self._used = False
        self._syn = clock.now()
        try:
            self.socket = self._sockets.make(family)
            code = self.socket.connect_ex(where)
        except OSError as error:
            code = error.errno or 0
        if code not in (0, EINPROGRESS):
            clock.at(self._syn, lambda: self._fail(Outcome.CLOSED, code, explain(code)))
            return
        self._watch_writable(self._on_connected)

    def _on_connected(self) -> None:
        try:
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._fail(Outcome.CLOSED, code, explain(code))
                return
            self._unwatch_writable()
            self._core = h11.Connection(h11.CLIENT)
            self._reader = self._sockets.loop.io(self.socket.fileno(), READ)
            self._reader.start(self._on_readable)
            dialled, self._dialled = self._dialled, None
            if dialled is not None:
                self._cancel_deadline()
                now = self._sockets.clock.now()
                dialled(None, self._syn, Arrival(now, now, 0))
            else:
                self._request()
        except BaseException as error:  # noqa: BLE001
            self._sockets.failure(error)

    # -- writing ------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        asked = self._asked
        if asked is None:
            return
        now = self._sockets.clock.now()
        try:
            count = self.socket.send(asked.data)
        except BlockingIOError:
            count = 0
        except OSError as error:
            code = error.errno or 0
            self._soon(asked, lambda: self._broken(code))
            return
        asked.data = asked.data[count:]
        if asked.data:
            if self._writer is None:
                self._watch_writable(self._on_writable)
            return
        self._unwatch_writable()
        if asked.message is not None:
            asked.message.sent = now

    def _on_writable(self) -> None:
        try:
            self._write()
        except BaseException as error:  # noqa: BLE001
            self._sockets.failure(error)

    def _soon(self, asked: _Asked, act: Callable[[], None]) -> None:
        """Do it from the hub, unless this request has ended otherwise by then."""
        self._sockets.clock.after(0, lambda: act() if self._asked is asked else None)

    # -- reading ------------------------------------------------------------------------------------------------

    def _on_readable(self) -> None:
        sockets = self._sockets
        try:
            try:
                count, arrived, read = sockets.receive(self.socket)
            except BlockingIOError:
                return
            except OSError as error:
                self._broken(error.errno or 0)
                return
            drained = count < len(sockets.buffer)
            exact = Arrival(arrived, read, Flag.EXACT if drained else Flag.BOUNDED)
            self._digest(sockets.view[:count], exact if arrived else Arrival(read, read, 0))
        except BaseException as error:  # noqa: BLE001
            sockets.failure(error)

    def _digest(self, data: memoryview, when: Arrival) -> None:
        """Give the core one read and act on what it makes of it."""
        core, asked = self._core, self._asked
        if core is None or asked is None:
            # Idle: an end, or (with or without a farewell of status 408) the announcement of one.
            self._hang_up()
            return
        if not data and not asked.began:
            self._broken(0)
            return
        asked.began = True
        try:
            core.receive_data(bytes(data))
            while (event := core.next_event()) is not h11.NEED_DATA:
                if type(event) is h11.Response:
                    asked.head = event
                elif type(event) is h11.Data:
                    asked.parts.append(bytes(event.data))
                    asked.length += len(event.data)
                    if asked.length > self._longest:
                        self._fail(Outcome.GARBLED, 0, f"the answer is longer than {self._longest} bytes", when)
                        return
                elif type(event) is h11.EndOfMessage:
                    self._answered(core, asked, when)
                    return
                elif event is h11.PAUSED or type(event) is h11.ConnectionClosed:
                    break
        except h11.RemoteProtocolError as error:
            if data:
                self._fail(Outcome.GARBLED, 0, f"the answer is not HTTP: {error}", when)
            else:
                self._fail(Outcome.CLOSED, 0, "the connection ended in the middle of an answer", when)

    def _answered(self, core: h11.Connection, asked: _Asked, when: Arrival) -> None:
        """An answer is complete: make the connection ready for the next request, then tell."""
        self._cancel_deadline()
        self._asked = None
        self._used = True
        head = asked.head
        if core.trailing_data[0] or core.our_state is not h11.DONE or core.their_state is not h11.DONE or asked.data:
            # Bytes that nobody asked for, an answer before the request was whole, or "Connection: close".
            when = Arrival(when.arrived, when.read, Flag.BOUNDED) if when.flags and core.trailing_data[0] else when
            self._hang_up()
        else:
            core.start_next_cycle()
        if head is not None:
            headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
            asked.heard(Answer(head.status_code, headers, b"".join(asked.parts)), when)

    # -- failing ------------------------------------------------------------------------------------------------

    def _broken(self, code: int) -> None:
        """The connection ended: while idle that is nobody's business, on first use again it may be tried anew."""
        asked = self._asked
        if asked is None and self._dialled is None:
            self._hang_up()
        elif asked is not None and self._used and asked.again and not asked.began:
            asked.again = False
            self._hang_up()
            self._connect()
        else:
            text = explain(code) if code else "the connection ended before an answer"
            self._fail(Outcome.CLOSED, code, text)

    def _too_late(self) -> None:
        if self._dialled is not None or self._core is None:
            self._fail(Outcome.EXPIRED, 0, "no TCP connection in time")
        else:
            self._fail(Outcome.EXPIRED, 0, "no answer in time")

    def _fail(self, outcome: Outcome, code: int, text: str, when: Arrival | None = None) -> None:
        asked, self._asked = self._asked, None
        dialled, self._dialled = self._dialled, None
        syn = self._syn
        self._cancel_deadline()
        self._hang_up()
        now = self._sockets.clock.now()
        when = when or Arrival(now, now, 0)
        failure = Failure(outcome, code, text)
        if dialled is not None:
            dialled(failure, syn, when)
        elif asked is not None:
            asked.heard(failure, when)

    # -- ending -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End it; whoever waits for an answer is not told."""
        self._forget()
        self._hang_up()

    def reset(self) -> None:
        """Break it with a TCP reset; whoever waits is not told."""
        self._forget()
        if self.socket is not None and self.socket.fileno() >= 0:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._hang_up()

    def half_close(self) -> None:
        """End our half of the stream with a FIN, and close a little later; whoever waits is not told."""
        self._forget()
        if self._core is None:
            self._hang_up()
            return
        self._stop_watching()
        self._core = None
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:  # the peer was quicker
            self._hang_up()
            return
        self._sockets.clock.after(LINGER_NS, self._hang_up)

    def silence(self) -> None:
        """Stop reading and sending for good, keeping the socket; end it with `reset` later."""
        self._forget()
        self._stop_watching()
        self._core = None

    def _forget(self) -> None:
        self._asked = None
        self._dialled = None
        self._cancel_deadline()

    def _hang_up(self) -> None:
        """Give the socket back to the system; the next request dials again."""
        self._stop_watching()
        self._core = None
        if self.socket is not None:
            self.socket.close()

    # -- watchers -----------------------------------------------------------------------------------------------

    def _watch_writable(self, callback: Callable[[], None]) -> None:
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

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
