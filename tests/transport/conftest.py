import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import gevent
import pytest
from websockets.uri import parse_uri

from harness.transport.clock import Clock
from harness.transport.options import Options, Route
from harness.transport.sockets import Sockets
from harness.transport.trust import make_context
from harness.transport.websocket import Arrival, Ending, Pong, Refusal, WebSocket
from harness.units import SECOND
from tests.transport.authority import Authority, Pair
from tests.waiting import until

PATIENCE_S = 40


class Witness:
    """A listener that remembers everything."""

    def __init__(self) -> None:
        self.opening: list[tuple[int, Arrival]] = []
        self.refusals: list[Refusal] = []
        self.messages: list[tuple[bytes, Arrival]] = []
        self.pongs: list[tuple[Pong, Arrival | None]] = []
        self.endings: list[tuple[Ending, Arrival]] = []

    def opened(self, sent: int, when: Arrival) -> None:
        self.opening.append((sent, when))

    def refused(self, why: Refusal, sent: int, when: Arrival) -> None:
        self.refusals.append(why)

    def received(self, data: bytes, when: Arrival) -> None:
        self.messages.append((data, when))

    def ponged(self, pong: Pong, when: Arrival | None) -> None:
        self.pongs.append((pong, when))

    def closed(self, end: Ending, when: Arrival) -> None:
        self.endings.append((end, when))


@dataclass(frozen=True)
class Trust:
    """What both sides of a TLS connection need."""

    client: ssl.SSLContext
    server: ssl.SSLContext


class Bench:
    """Connections against servers whose behaviour is a function on the accepted socket, under TLS if `tls` is given."""

    def __init__(self, tls: Trust | None = None) -> None:
        self.tls = tls
        self.mishaps: list[OSError] = []
        self.callers: list[str] = []
        self.failures: list[BaseException] = []
        self.clock = Clock()
        self.clock.failure = self.failures.append
        self.sockets = Sockets(self.clock, self.failures.append)
        self.witness = Witness()
        self.threads: list[threading.Thread] = []

    def connect(
        self, behave: Callable[[socket.socket], None], *, timeout_s: float = PATIENCE_S, max_bytes: int = 1 << 20,
        route: Route | None = None, host: str = "127.0.0.1", **wishes: Any,
    ) -> WebSocket:  # fmt: skip
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, 0), family=family)
        port = listener.getsockname()[1]

        def serve() -> None:
            with listener:
                peer, _ = listener.accept()
            with closing(peer):
                self.callers.append(peer.getpeername()[0])
                peer.settimeout(PATIENCE_S)
                if self.tls is None:
                    behave(peer)
                    return
                try:
                    sealed = self.tls.server.wrap_socket(peer, server_side=True)
                except OSError as error:
                    self.mishaps.append(error)  # the client did not like what it saw
                    return
                with closing(sealed):
                    behave(sealed)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.threads.append(thread)
        where = (int(family), listener.getsockname())
        route = route or Route((where,), server_name=host)
        if self.tls is not None:
            route = replace(route, tls=self.tls.client)
        options = Options(
            replace(route, addresses=(where,)), open_timeout_ns=round(timeout_s * SECOND), max_message_bytes=max_bytes,
            **wishes,
        )  # fmt: skip
        scheme = "ws" if self.tls is None else "wss"
        connection = WebSocket(self.sockets, self.witness, options)
        connection.connect(0, parse_uri(f"{scheme}://127.0.0.1:{port}/x"), {}, ())
        return connection

    def until(self, happened: Callable[[], object]) -> None:
        """Let the hub run until it has happened."""
        until(happened, PATIENCE_S, gevent.sleep)

    def finish(self) -> None:
        for thread in self.threads:
            self.until(lambda thread=thread: not thread.is_alive())
        self.clock.close()
        assert not self.failures


def serve_with(pair: Pair, **more: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, **more)
    context.load_cert_chain(pair.cert, pair.key)
    return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def trust(authority: Authority) -> Trust:
    """A server on 127.0.0.1 and a client that trusts it."""
    return Trust(make_context(ca_file=str(authority.ca_file)), serve_with(authority.sign("127.0.0.1")))


@pytest.fixture(params=["tcp", "tls"])
def bench(request: pytest.FixtureRequest, trust: Trust) -> Iterator[Bench]:
    """Every test that asks for it runs twice: over plain TCP and over TLS."""
    bench = Bench(trust if request.param == "tls" else None)
    yield bench
    bench.finish()


@pytest.fixture
def plain() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.finish()
