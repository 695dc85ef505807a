"""One WebSocket client connection: `websockets`' Sans-I/O core on a stream.

It reports to one listener what happened, with times. Subtle: the listener hears of the end exactly once, when it is
decided, while the stream may linger a little for the endpoint to close its side first (RFC 6455 7.1.1).

Longer than other modules, because opening, reading, closing and writing decide by the same state: apart, each would
reach into the others, and each call between them is paid for every message.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import cast as typed

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI

from ..record.row import Closer, Outcome
from ..units import SECOND
from .clock import Timer
from .events import (
    BOUNDED,
    EXACT,
    Arrival,
    Ending,
    Listener,
    Pong,
    Refusal,
    Stampable,
    arrival,
    bounded_by,
)
from .frames import FIN_TEXT, is_between, whole_texts
from .keepalive import Keepalive
from .options import Options
from .sockets import Socket, Sockets, explain
from .stream import Stage, Stream
from .upgrade import Asked, judge

__all__ = ["Arrival", "Ending", "Listener", "Phase", "Pong", "Refusal", "Stampable", "WebSocket"]

CLOSE_TIMEOUT_NS = 5 * SECOND
LINGER_NS = SECOND
ORDERLY = (1000, 1001, 1005)
TLS_FAILED = 1015
WAITED_FOR = {
    Stage.TCP: "no TCP connection",
    Stage.PROXY: "no answer from the proxy",
    Stage.TLS: "no end of the TLS handshake",
    Stage.UP: "no answer to the upgrade request",
}


class Phase(IntEnum):
    """Where a connection stands."""

    CONNECTING = 0
    UPGRADING = 1
    OPEN = 2
    ENDED = 3
    """The listener knows; the stream may still linger."""
    GONE = 4


# Looking an enum's member up takes 70 ns in Python 3.11, a global 2: what each message needs is looked up once.
OPEN, ENDED = Phase.OPEN, Phase.ENDED
CORE_OPEN = State.OPEN
TEXT = Opcode.TEXT


class WebSocket:
    """A connection to be; `connect` begins it."""

    __slots__ = (
        "_between", "_core", "_deadline", "_deflate", "_flows", "_fragments", "_keepalive", "_listener", "_options",
        "_sockets", "_stream", "began", "phase", "sent",
    )  # fmt: skip

    def __init__(self, sockets: Sockets, listener: Listener, options: Options) -> None:
        self._sockets = sockets
        self._listener = listener
        self._options = options
        self._stream = Stream(sockets, self)
        self._core: Asked | ClientProtocol | None = None
        """None before `connect`; what was asked for, until the first byte of the answer; then the core that reads."""
        self._deflate: PerMessageDeflate | None = None
        self._keepalive: Keepalive | None = None
        self._fragments: list[bytes] | None = None
        self._between = False
        """Whether the next byte is the first of a frame; the core may have taken a header and hold nothing unread."""
        self._flows = False
        """Whether it is open and neither side has begun to close: what the core knows too, further away."""
        self._deadline: Timer | None = None
        self.phase = Phase.CONNECTING
        self.sent = 0
        """When the first SYN left."""
        self.began = 0

    @property
    def _protocol(self) -> ClientProtocol:
        """The core: there is one from the first byte of the answer on."""
        assert isinstance(self._core, ClientProtocol)
        return self._core

    @property
    def socket(self) -> Socket:
        """The socket itself, for what breaks it on purpose."""
        return self._stream.socket

    # -- opening ------------------------------------------------------------------------------------------------

    def connect(
        self, number: int, uri: WebSocketURI, headers: Mapping[str, str], subprotocols: Sequence[str]
    ) -> None:  # fmt: skip
        """Begin to open, as session `number`; the listener hears `opened` or `refused`, in time, never from here."""
        clock, options = self._sockets.clock, self._options
        self._core = self._sockets.upgrades.ask(options, uri, headers, subprotocols)
        self.sent = clock.now()
        self._deadline = clock.at(self.sent + options.open_timeout_ns, self._too_late)
        self._stream.connect(options.route, number)

    def connected(self) -> None:
        """The stream is up: ask for the upgrade."""
        self.phase = Phase.UPGRADING
        if isinstance(self._core, Asked):
            self._stream.write(self._core.request)

    def _too_late(self) -> None:
        why = f"{WAITED_FOR.get(self._stream.stage, 'nothing')} within endpoint.open_timeout_s"
        self._refuse(Refusal(Outcome.EXPIRED, 0, why))

    def refused_on_the_way(self, why: Refusal) -> None:
        """A proxy or TLS did not let us through."""
        self._refuse(why)

    def _refuse(self, why: Refusal, when: Arrival | None = None) -> None:
        if self.phase >= OPEN:
            return
        self._dispose()
        self._listener.refused(why, self.sent, when or self._now())

    def _upgraded(self, response: Response | None, when: Arrival) -> None:
        """Judge the answer to the upgrade."""
        first = self._fragments[0] if self._fragments else b""
        why = judge(self._protocol, response, first)
        if why is not None:
            self._refuse(why, when)
            return
        self._sockets.upgrades.learn(self._protocol, first)
        self._open(when)

    def _open(self, when: Arrival) -> None:
        """The upgrade is accepted."""
        self._cancel_deadline()
        self.phase = OPEN
        self._flows = self._protocol.state is CORE_OPEN
        self._fragments = None
        agreed = self._protocol.extensions
        self._deflate = typed(PerMessageDeflate, agreed[0]) if agreed else None
        if self._options.ping_every_ns:
            self._keepalive = Keepalive(self._sockets.clock, self, self._options, when.read)
        self._listener.opened(self.sent, when)

    # -- reading ------------------------------------------------------------------------------------------------

    def arrived(self, view: memoryview, count: int, arrived: int, read: int, drained: bool) -> None:
        """Bytes came."""
        if self.phase is ENDED:
            return
        begin = 0
        if self._flows and self._between and self._fragments is None:
            messages, begin = whole_texts(view, count, self._options.max_message_bytes)
            if messages:
                if arrived:  # as arrival() would, a call less on the hot path
                    last = Arrival(arrived, read, EXACT if drained and begin == count else BOUNDED)
                else:
                    last = Arrival(read, read, 0)
                if len(messages) == 1 and messages[0].isascii():
                    self._listener.received(messages[0], last)  # as _message would, a call less on the hot path
                else:
                    self._several(messages, last)
            if begin == count or self.phase is not OPEN:
                return
        elif isinstance(self._core, Asked):
            begin = self._answered(self._core, view, count, arrived, read, drained)
            if begin == count or self.phase > OPEN:
                return
        protocol = self._protocol
        protocol.receive_data(view[begin:count])  # type: ignore[arg-type]
        self._between = is_between(protocol)
        self._digest(arrived, read, drained and self._between)

    def _answered(
        self, asked: Asked, view: memoryview, count: int, arrived: int, read: int, drained: bool
    ) -> int:  # fmt: skip
        """The first bytes of the answer to the upgrade: take it, if it is known; how many bytes it was."""
        taken = self._sockets.upgrades.accepted(asked, view, count)
        if not taken:
            self._core = asked.core(self._options)
            self._fragments = [bytes(view[:count])]
            return 0
        self._core = asked.core(self._options, CORE_OPEN)
        self._between = True
        self._open(arrival(arrived, read, drained and taken == count))
        return taken

    def ended(self, arrived: int, read: int) -> None:
        """The endpoint has ended its side of the stream."""
        if self.phase is ENDED:
            self._dispose()
            return
        if isinstance(self._core, Asked):
            self._core = self._core.core(self._options)
        self._protocol.receive_eof()
        self._digest(arrived, read, True, at_end=True)

    def _several(self, messages: list[bytes], last: Arrival) -> None:
        """Plain texts of one read, `last` is when the last of them came; or one that may not be UTF-8."""
        protocol = self._protocol
        bounded = bounded_by(last) if len(messages) > 1 else last
        for data in messages[:-1]:
            self._message(protocol, data, True, bounded)
        self._message(protocol, messages[-1], True, last)
        if self.phase is OPEN and protocol.close_sent is not None:
            self._ending(last, False)

    def _digest(self, arrived: int, read: int, drained: bool, at_end: bool = False) -> None:
        """Tell the listener what the core made of one read."""
        protocol = self._protocol
        events = protocol.events_received()
        if protocol.state is not CORE_OPEN:
            self._flows = False
        if protocol.writes:
            self._flush()
        when = arrival(arrived, read, drained)
        if self.phase is Phase.UPGRADING and (events or protocol.handshake_exc is not None):
            response = typed(Response, events.pop(0)) if events else None
            self._upgraded(response, when if not events else bounded_by(when))
        if events:
            bounded = bounded_by(when) if len(events) > 1 else when
            last = events[-1]
            for event in events:
                if self.phase is not OPEN:
                    return
                self._frame(protocol, typed(Frame, event), when if event is last else bounded)
        if self.phase is OPEN and (at_end or protocol.state is not CORE_OPEN):
            self._ending(when, at_end)

    def _frame(self, protocol: ClientProtocol, frame: Frame, when: Arrival) -> None:
        opcode = frame.opcode
        if opcode is TEXT or opcode is Opcode.BINARY:
            if frame.fin:
                self._message(protocol, bytes(frame.data), opcode is TEXT, when)
            else:
                self._fragments = [b"t" if opcode is TEXT else b"b", bytes(frame.data)]
        elif opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                kind, *fragments = self._fragments
                self._fragments = None
                self._message(protocol, b"".join(fragments), kind == b"t", when)
        elif opcode is Opcode.PONG and self._keepalive is not None:
            self._keepalive.ponged(bytes(frame.data), when)

    def _message(self, protocol: ClientProtocol, data: bytes, text: bool, when: Arrival) -> None:
        if self.phase is not OPEN or protocol.state is State.CLOSED:
            return
        if text and not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError as error:
                # The Sans-I/O core leaves this check to us (RFC 6455 8.1).
                self._flows = False
                protocol.fail(1007, f"{error.reason} at position {error.start}")
                self._flush()
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
        """Tell the listener, and let the stream linger until the endpoint closes its side."""
        if self.phase is not OPEN:
            return
        self.phase = ENDED
        self._flows = False
        self._cancel_deadline()
        self._deadline = self._sockets.clock.after(LINGER_NS, self._dispose)
        keepalive, self._keepalive = self._keepalive, None
        if keepalive is not None:
            keepalive.stop(code)
        outcome = Outcome.OK if code in ORDERLY and closer in (Closer.US, Closer.ENDPOINT) else Outcome.CLOSED
        self._listener.closed(Ending(closer, code, reason, outcome, self.began), when)

    def lost(self, code: int) -> None:
        """The kernel says that the connection is broken."""
        if self.phase < OPEN:
            self._refuse(Refusal(Outcome.CLOSED, code, explain(code)))
            return
        self._end(Closer.US if self.began else Closer.RESET, code, explain(code), self._now())
        self._dispose()

    def broken(self, why: Refusal) -> None:
        """TLS has failed."""
        if self.phase < OPEN:
            self._refuse(why)
            return
        self._end(Closer.US if self.began else Closer.GARBLED, TLS_FAILED, why.text, self._now())
        self._dispose()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; `closed` comes when the endpoint has answered, or after 5 s."""
        if self._flows:
            self._flows = False
            self.began = self._sockets.clock.now()
            self._protocol.send_close(code, reason)
            self._cancel_deadline()
            self._deadline = self._sockets.clock.after(CLOSE_TIMEOUT_NS, self._close_unanswered)
            self._flush()
        elif self.phase < OPEN:
            self.reset()

    def _close_unanswered(self) -> None:
        self._end(Closer.US, 1006, "no answer to our close within 5 s", self._now())
        self._dispose()

    def reset(self) -> None:
        """Break the connection with a TCP reset, at once."""
        self._give_up("reset by us")
        self._stream.reset()
        self._dispose()

    def half_close(self) -> None:
        """End our half of the stream with a FIN and no close frame, as a process that exits does."""
        if self.phase is OPEN:
            self._stream.half_close()
            self._give_up("ended by us without a close frame")

    def limit_reading(self, bytes_per_s: int | None) -> None:
        """Read at most so many bytes per second from now on, pongs and closes included; None: as they come again."""
        if self.phase is OPEN:
            self._stream.limit_reading(bytes_per_s)

    def silence(self) -> None:
        """Stop reading and sending for good, keeping the socket open; end it with `reset` later."""
        self._give_up("silenced by us")
        self._cancel_deadline()
        self._stream.silence()

    def _give_up(self, reason: str) -> None:
        now = self._now()
        if self.phase is OPEN:
            self.began = self.began or now.read
            self._end(Closer.US, 1006, reason, now)
        elif self.phase < OPEN:
            self.phase = ENDED
            self._cancel_deadline()
            self._listener.refused(Refusal(Outcome.ABANDONED, 0, reason), self.sent, now)

    # -- writing ------------------------------------------------------------------------------------------------

    def send(self, data: bytes, message: Stampable | None = None) -> bool:
        """Send one text message; `message.sent` is stamped when the kernel takes its last byte, now or later.

        Returns:
            False when the connection is not open (any more) and nothing was sent.
        """
        if not self._flows:
            return False
        longest = self._options.max_frame_bytes
        if self._deflate is None and len(data) <= longest:
            self._stream.write(self._sockets.masker.frame(FIN_TEXT, data), message)
        else:
            self._stream.write(self._sockets.masker.message(FIN_TEXT, data, longest, self._deflate), message)
        return True

    def send_ping(self, data: bytes, message: Stampable) -> bool:
        """Send a keepalive ping; False when the connection is not open (any more): none is sent after a close frame."""
        if self.phase is not OPEN or self._protocol.state is not CORE_OPEN:
            return False
        self._protocol.send_ping(data)
        self._flush(message)
        return True

    def ping_ended(self, pong: Pong, when: Arrival | None) -> None:
        """A keepalive ping was answered, or was not: then the connection is given up."""
        self._listener.ponged(pong, when)
        if pong.outcome is Outcome.EXPIRED and self.phase is OPEN:
            if self._protocol.state is CORE_OPEN:
                self._flows = False
                self._protocol.fail(1011, "keepalive ping timeout")
                self._flush()
            now = self._now()
            self._end(Closer.US if self.began else Closer.SILENT, 1006, "no pong within endpoint.ping_timeout_s", now)

    def _flush(self, message: Stampable | None = None) -> None:
        """Send what the core has to say; its sign for "end the stream" (nothing) waits for the endpoint's end."""
        data = b"".join(self._protocol.data_to_send())
        if data:
            self._stream.write(data, message)

    # -- small things -------------------------------------------------------------------------------------------

    def _now(self) -> Arrival:
        now = self._sockets.clock.now()
        return Arrival(now, now, 0)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _dispose(self) -> None:
        """Give everything back to the system; silent, and harmless when done before."""
        self.phase = Phase.GONE
        self._flows = False
        self._cancel_deadline()
        self._stream.close()
        if isinstance(self._core, ClientProtocol):
            self._core.parser.close()  # its frame holds the core that holds it: 2 KiB until a collection
