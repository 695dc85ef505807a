"""The way through an HTTP proxy: one CONNECT (RFC 9110 9.3.6), and what the proxy answers.

After a 2xx the stream belongs to the endpoint, which sends nothing before it has received something, so a byte behind
the proxy's answer is a mistake of the proxy.
"""

from collections.abc import Generator

from websockets.http11 import Response
from websockets.streams import StreamReader

from ..record.row import Outcome
from .events import Refusal
from .upgrade import BODY_BYTES


class Tunnel:
    """The proxy's answer, as it comes; feed it until it is decided."""

    __slots__ = ("_parsing", "_reader")

    def __init__(self) -> None:
        self._reader = StreamReader()
        self._parsing = self._parse()

    def _parse(self) -> Generator[None, None, Response]:
        reader = self._reader
        return (yield from Response.parse(reader.read_line, reader.read_exact, reader.read_to_eof, proxy=True))

    def feed(self, data: bytes) -> Refusal | bool:
        """Take what came: False as long as more is needed, True when the way is open, or why it is not."""
        self._reader.feed_data(data)
        try:
            next(self._parsing)
        except StopIteration as done:
            return self._judge(done.value)
        except Exception as error:  # noqa: BLE001 - the parser has a dozen kinds for "not HTTP"
            return Refusal(Outcome.GARBLED, 0, f"the proxy's answer is not HTTP: {error}")
        return False

    def _judge(self, response: Response) -> Refusal | bool:
        status = response.status_code
        if not 200 <= status < 300:
            text = f"the proxy refused: HTTP {status} {response.reason_phrase}".rstrip()
            body = bytes(self._reader.buffer[:BODY_BYTES]).decode("utf-8", "replace")
            return Refusal(Outcome.REJECTED, status, text, status, tuple(response.headers.raw_items()), body)
        if self._reader.buffer:
            return Refusal(Outcome.GARBLED, status, "the proxy sent something behind its answer")
        return True
