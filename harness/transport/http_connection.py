"""One HTTP/1.1 client connection: `h11`'s Sans-I/O core on a stream.

One request at a time; kept alive between requests and dialled again when the endpoint has closed it. The caller hears
the answer, or why there is none, with times, and may ask again at once from there, so state is changed before. An
endpoint may close an idle connection at the very moment at which we use it again, so a GET that got not one byte of an
answer on a used connection is sent once more on a new one (RFC 9110 9.2.2); a POST is not, since it may have been
carried out.
"""

from collections.abc import Callable

import h11

from ..record.row import Outcome
from ..wire.exchange import Answer, Failure, Request
from .clock import Timer
from .events import Arrival, Refusal, Stampable, arrival, bounded_by
from .http_exchange import Exchange, Heard, Wanted
from .options import Route
from .sockets import Socket, Sockets, explain
from .stream import Stage, Stream
from .websocket import LINGER_NS

WAITED_FOR = {
    Stage.TCP: "no TCP connection in time",
    Stage.PROXY: "no answer from the proxy in time",
    Stage.TLS: "no end of the TLS handshake in time",
}

Dialled = Callable[[Failure | None, int, Arrival], None]
"""Called with None once the connection is open, or why it is not, and the time of the SYN; never from within `dial`."""


class HttpConnection:
    """A connection of session `number` by a route; `host` is what the Host header says."""

    __slots__ = (
        "_asked", "_core", "_deadline", "_dialled", "_host", "_is_writing", "_longest", "_number", "_route", "_sockets",
        "_stream", "_syn", "_used",
    )  # fmt: skip

    def __init__(self, sockets: Sockets, route: Route, number: int, host: str, max_body_bytes: int) -> None:
        self._sockets = sockets
        self._route = route
        self._number = number
        self._host = host
        self._longest = max_body_bytes
        self._stream: Stream | None = None
        self._core: h11.Connection | None = None
        self._asked: Exchange | None = None
        self._dialled: Dialled | None = None
        self._deadline: Timer | None = None
        self._is_writing = False
        self._used = False
        self._syn = 0

    @property
    def socket(self) -> Socket:
        """The socket itself, for what breaks it on purpose; None when there is none."""
        return self._stream.socket if self._stream is not None else None

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

    def ask(
        self, request: Request, heard: Heard, timeout_ns: int, message: Stampable | None = None,
        is_wanted: Wanted | None = None,
    ) -> None:  # fmt: skip
        """Send one request, on a new connection if need be; `message.sent` is stamped as its last byte leaves.

        It is not sent at all, and has EXPIRED, if it is no longer wanted when the connection stands.

        Raises:
            ValueError: the last one has not been answered.
        """
        if self.is_busy:
            raise ValueError("one request at a time: the last one has not been answered")
        self._asked = Exchange(request, heard, message, is_wanted)
        self._deadline = self._sockets.clock.after(timeout_ns, self._too_late)
        if self._core is None:
            self._connect()
        else:
            self._request()

    def _connect(self) -> None:
        self._used = False
        self._syn = self._sockets.clock.now()
        self._stream = Stream(self._sockets, self)
        self._stream.connect(self._route, self._number)

    def _request(self) -> None:
        """The connection stands: send what is asked."""
        core, asked, stream = self._core, self._asked, self._stream
        if core is None or asked is None or stream is None:
            return
        data = asked.write(core, self._host)
        if isinstance(data, Failure):
            failure = data
            self._soon(lambda: self._fail(*failure))
            return
        self._is_writing = True
        stream.write(data, asked)
        self._is_writing = False

    def _soon(self, act: Callable[[], None]) -> None:
        """Do it from the hub, unless this request has ended otherwise by then: `ask` itself calls nobody back."""
        asked = self._asked
        self._sockets.clock.after(0, lambda: act() if self._asked is asked else None)

    # -- what the stream tells ----------------------------------------------------------------------------------

    def connected(self) -> None:
        """The stream is up."""
        self._core = h11.Connection(h11.CLIENT)
        dialled, self._dialled = self._dialled, None
        if dialled is not None:
            self._cancel_deadline()
            now = self._sockets.clock.now()
            dialled(None, self._syn, Arrival(now, now, 0))
            return
        asked = self._asked
        if asked is not None and asked.is_wanted is not None and not asked.is_wanted():
            self._cancel_deadline()
            self._asked = None
            now = self._sockets.clock.now()
            asked.heard(Failure(Outcome.EXPIRED, 0, "given up before it could be sent"), Arrival(now, now, 0))
        else:
            self._request()

    def refused_on_the_way(self, why: Refusal) -> None:
        """A proxy or TLS did not let us through."""
        self._fail(why.outcome, why.code, why.text)

    def arrived(self, view: memoryview, count: int, arrived: int, read: int, drained: bool) -> None:
        """Bytes came."""
        self._digest(bytes(view[:count]), arrival(arrived, read, drained))

    def ended(self, arrived: int, read: int) -> None:
        """The endpoint has ended its side."""
        self._digest(b"", Arrival(arrived or read, read, 0))

    def lost(self, code: int) -> None:
        """The kernel says that the connection is broken, or never came to be."""
        if self._is_writing:
            self._soon(lambda: self._broken(code))
        else:
            self._broken(code)

    def broken(self, why: Refusal) -> None:
        """TLS has failed."""
        if self._is_writing:
            self._soon(lambda: self._fail(why.outcome, why.code, why.text))
        else:
            self._fail(why.outcome, why.code, why.text)

    # -- reading ------------------------------------------------------------------------------------------------

    def _digest(self, data: bytes, when: Arrival) -> None:
        """Give the core one read and act on what it makes of it."""
        core, asked = self._core, self._asked
        if core is None or asked is None:
            # Idle: an end, or (with or without a farewell of status 408) the announcement of one.
            self._hang_up()
            return
        if not data and not asked.began:
            self._broken(0)
            return
        found = asked.read(core, data, self._longest)
        if isinstance(found, Failure):
            self._fail(*found, when)
        elif found is not None:
            self._answered(core, asked, found, when)

    def _answered(self, core: h11.Connection, asked: Exchange, answer: Answer, when: Arrival) -> None:
        """An answer is complete: make the connection ready for the next request, then pass it on."""
        self._cancel_deadline()
        self._asked = None
        self._used = True
        more, _ = core.trailing_data
        if more or not asked.sent or core.our_state is not h11.DONE or core.their_state is not h11.DONE:
            # Bytes that nobody asked for, an answer before the request was whole, or "Connection: close".
            when = bounded_by(when) if more else when
            self._hang_up()
        else:
            core.start_next_cycle()
        asked.heard(answer, when)

    # -- failing ------------------------------------------------------------------------------------------------

    def _broken(self, code: int) -> None:
        """The connection ended: while idle nobody needs to know; on first use after that, a GET is repeated."""
        asked = self._asked
        if asked is None and self._dialled is None:
            self._hang_up()
        elif asked is not None and self._used and asked.may_repeat and not asked.began:
            asked.may_repeat = False
            self._hang_up()
            self._connect()
        else:
            text = explain(code) if code else "the connection ended before an answer"
            self._fail(Outcome.CLOSED, code, text)

    def _too_late(self) -> None:
        stage = self._stream.stage if self._stream is not None else Stage.TCP
        self._fail(Outcome.EXPIRED, 0, WAITED_FOR.get(stage, "no answer in time"))

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
        """End it; nobody hears of the request under way."""
        self._forget()
        self._hang_up()

    def reset(self) -> None:
        """Break it with a TCP reset; nobody hears of the request under way."""
        self._forget()
        if self._stream is not None:
            self._stream.reset()
            self._stream = None

    def half_close(self) -> None:
        """End our half of the stream with a FIN, and close a little later; nobody hears of the request."""
        stood = self._core is not None
        self._forget()
        stream = self._stream
        if stream is None or not stood:
            self._hang_up()
            return
        stream.half_close()
        stream.silence()
        self._sockets.clock.after(LINGER_NS, stream.close)

    def limit_reading(self, bytes_per_s: int | None) -> None:
        """Read at most so many bytes per second from the connection there is now; None: as they come again."""
        if self._stream is not None:
            self._stream.limit_reading(bytes_per_s)

    def silence(self) -> None:
        """Stop reading and sending for good, keeping the socket; end it with `reset` later."""
        self._forget()
        if self._stream is not None:
            self._stream.silence()

    def _forget(self) -> None:
        self._core = None
        self._asked = None
        self._dialled = None
        self._cancel_deadline()

    def _hang_up(self) -> None:
        """Give the socket back to the system; the next request dials again."""
        self._core = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
