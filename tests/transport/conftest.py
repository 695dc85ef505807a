import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import gevent
import pytest
from websockets.uri import parse_uri

from harness.clock import SECOND, Clock
from harness.transport.sockets import Sockets
from harness.transport.websocket import Arrival, Ending, Refusal, WebSocket

PATIENCE_S = 10


class Witness:
    """A listener that remembers everything."""

    def __init__(self) -> None:
        self.opening: list[tuple[int, Arrival]] = []
        self.refusals: list[Refusal] = []
        self.messages: list[tuple[bytes, Arrival]] = []
        self.endings: list[tuple[Ending, Arrival]] = []

    def opened(self, sent: int, when: Arrival) -> None:
        self.opening.append((sent, when))

    def refused(self, why: Refusal, sent: int, when: Arrival) -> None:
        self.refusals.append(why)

    def received(self, data: bytes, when: Arrival) -> None:
        self.messages.append((data, when))

    def closed(self, end: Ending, when: Arrival) -> None:
        self.endings.append((end, when))


class Bench:
    """One connection against a server whose behaviour is a function on the accepted socket."""

    def __init__(self) -> None:
        self.failures: list[BaseException] = []
        self.clock = Clock()
        self.clock.failure = self.failures.append
        self.sockets = Sockets(self.clock, self.failures.append)
        self.witness = Witness()
        self.threads: list[threading.Thread] = []

    def connect(
        self, behave: Callable[[socket.socket], None], *, timeout_s: float = PATIENCE_S, max_bytes: int = 1 << 20
    ) -> WebSocket:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]

        def serve() -> None:
            with listener:
                peer, _ = listener.accept()
            with closing(peer):
                peer.settimeout(PATIENCE_S)
                behave(peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.threads.append(thread)
        connection = WebSocket(self.sockets, self.witness)
        connection.connect(
            (socket.AF_INET, ("127.0.0.1", port)), parse_uri(f"ws://127.0.0.1:{port}/x"), {}, (),
            round(timeout_s * SECOND), max_bytes,
        )  # fmt: skip
        return connection

    def until(self, happened: Callable[[], object]) -> None:
        """Let the hub run until it has happened."""
        with gevent.Timeout(PATIENCE_S):
            while not happened():
                gevent.sleep(0.002)

    def finish(self) -> None:
        for thread in self.threads:
            self.until(lambda thread=thread: not thread.is_alive())
        self.clock.close()
        assert not self.failures


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.finish()
