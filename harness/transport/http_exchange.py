"""One HTTP request and its answer as `h11` writes and reads them: no socket, no clock.

An answer that is no HTTP, too long or incomplete is evidence: a `Failure`, never an exception.
"""

import string
from collections.abc import Callable
from urllib.parse import quote

import h11

from ..record.row import Outcome
from ..wire.exchange import Answer, Failure, Request
from .events import Arrival, Stampable

IDEMPOTENT = ("GET", "HEAD")

Heard = Callable[[Answer | Failure, Arrival], None]
"""Called exactly once with the answer, or why there is none; never from within `ask`."""
Wanted = Callable[[], bool]
"""Whether anybody still waits for the answer."""


class Exchange:
    """A request in flight; `message`, if any, is stamped as its last byte leaves."""

    __slots__ = (
        "_body",
        "_head",
        "_length",
        "_sent",
        "began",
        "heard",
        "is_wanted",
        "may_repeat",
        "message",
        "request",
    )

    def __init__(self, request: Request, heard: Heard, message: Stampable | None, is_wanted: Wanted | None) -> None:
        self.request = request
        self.is_wanted = is_wanted
        self.heard = heard
        self.message = message
        self.began = False
        """Whether any byte of an answer has come."""
        self.may_repeat = request.method in IDEMPOTENT
        """Whether it may be sent once more."""
        self._head: h11.Response | None = None
        self._body: list[bytes] = []
        self._length = 0
        self._sent = 0

    @property
    def sent(self) -> int:
        """When its last byte left; 0 until then."""
        return self._sent

    @sent.setter
    def sent(self, now: int) -> None:
        self._sent = now
        if self.message is not None:
            self.message.sent = now

    def write(self, core: h11.Connection, host: str) -> bytes | Failure:
        """The bytes of the request; GARBLED for a header or target that HTTP cannot carry.

        Args:
            core: the connection's, ready for a request.
            host: the Host header, unless the request has one of its own.
        """
        method, target, headers, body = self.request
        try:
            given = [(name.encode(), value.encode()) for name, value in headers]  # UTF-8, as in the upgrade
            if all(name.lower() != b"host" for name, _ in given):  # the plan's replaces ours
                given.insert(0, (b"Host", host.encode()))
            if body or method == "POST":
                given.append((b"Content-Length", b"%d" % len(body)))
            path = target if target.isascii() else quote(target, safe=string.printable)
            data = core.send(h11.Request(method=method, target=path, headers=given)) or b""
            if body:
                data += core.send(h11.Data(data=body)) or b""
            return data + (core.send(h11.EndOfMessage()) or b"")
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            return Failure(Outcome.GARBLED, 0, f"the request cannot be written as HTTP: {error}")

    def read(self, core: h11.Connection, data: bytes, max_body_bytes: int) -> Answer | Failure | None:
        """The answer once it is complete, why there will be none, or None while more is needed.

        Args:
            core: the connection's.
            data: what one read brought; empty at the end of the stream.
            max_body_bytes: the longest body that is accepted.
        """
        self.began = True
        try:
            core.receive_data(data)
            while (event := core.next_event()) is not h11.NEED_DATA:
                if type(event) is h11.Response:
                    self._head = event
                elif type(event) is h11.Data:
                    self._body.append(bytes(event.data))
                    self._length += len(event.data)
                    if self._length > max_body_bytes:
                        return Failure(Outcome.GARBLED, 0, f"the answer is longer than {max_body_bytes} bytes")
                elif type(event) is h11.EndOfMessage and self._head is not None:
                    return self._answer(self._head)
                elif event is h11.PAUSED or type(event) is h11.ConnectionClosed:
                    break
        except h11.RemoteProtocolError as error:
            if data:
                return Failure(Outcome.GARBLED, 0, f"the answer is not HTTP: {error}")
            return Failure(Outcome.CLOSED, 0, "the connection ended in the middle of an answer")
        return None

    def _answer(self, head: h11.Response) -> Answer:
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
        return Answer(head.status_code, headers, b"".join(self._body))
