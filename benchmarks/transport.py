"""What the transport alone costs: memory a session, CPU an opening and a round trip, over TCP, with deflate, over TLS.

No sessions, records or Locust: one listener that sends again whatever comes back, against an echo in another process.
CPU is this process's own, the median of five seconds; memory is by difference to 50 sessions.

    .venv/bin/python -m benchmarks.transport [--sessions 2000]
"""

import argparse
import asyncio
import gc
import multiprocessing
import os
import resource
import socket
import ssl
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

MESSAGE = b'{"version":"1.0","action":"sendMessage","requestId":"k3x9-1-1","payload":{"text":"' + b"x" * 100 + b'"}}'
BUSY = 200
ROUNDS = 5
WAYS = ("tcp", "deflate", "tls")


def serve(told: Connection, files: tuple[str, str] | None) -> None:
    """An echo, until it is killed."""
    import uvloop
    from websockets.asyncio.server import serve as listen

    context = None
    if files is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)

    async def echo(connection) -> None:  # type: ignore[no-untyped-def]
        async for message in connection:
            await connection.send(message)

    async def main() -> None:
        # ping_interval: nothing of the server's own in what is measured
        async with listen(echo, "127.0.0.1", 0, ssl=context, ping_interval=None, backlog=4096) as server:
            told.send(next(iter(server.sockets)).getsockname()[1])
            await asyncio.Event().wait()

    uvloop.run(main())


def measure(way: str, sessions: int) -> tuple[float, float, float]:
    """KiB a session, CPU us an opening, CPU us a round trip."""
    import gevent
    from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
    from websockets.uri import parse_uri

    from harness.transport.clock import Clock
    from harness.transport.options import Options, Route
    from harness.transport.sockets import Sockets
    from harness.transport.trust import make_context
    from harness.transport.websocket import WebSocket
    from harness.units import SECOND
    from tests.transport.authority import Authority

    directory = tempfile.TemporaryDirectory()
    authority = Authority(Path(directory.name))
    pair = authority.sign("127.0.0.1")
    ours, theirs = multiprocessing.Pipe()
    files = (str(pair.cert), str(pair.key)) if way == "tls" else None
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, files), daemon=True)
    server.start()
    port = ours.recv()

    def broke(error: BaseException) -> None:
        raise SystemExit(repr(error))

    class Echoed:
        opened_times = trips = 0
        busy = True

        def opened(self, *_: object) -> None:
            Echoed.opened_times += 1

        def refused(self, *why: object) -> None:
            raise SystemExit(str(why))

        def closed(self, *_: object) -> None: ...
        def ponged(self, *_: object) -> None: ...

        def received(self, *_: object) -> None:
            Echoed.trips += 1
            if Echoed.busy:
                self.connection.send(MESSAGE)

    sockets = Sockets(Clock(), broke)
    options = Options(
        Route(
            ((int(socket.AF_INET), ("127.0.0.1", port)),),
            tls=make_context(ca_file=str(authority.ca_file)) if way == "tls" else None,
            server_name="127.0.0.1",
        ),
        open_timeout_ns=60 * SECOND,
        extensions=(ClientPerMessageDeflateFactory(client_max_window_bits=12, compress_settings={"memLevel": 5}),)
        if way == "deflate"
        else (),
    )
    uri = parse_uri(f"ws://127.0.0.1:{port}/")
    held = []

    def grow(to: int) -> None:
        while len(held) < to:
            listener = Echoed()
            listener.connection = WebSocket(sockets, listener, options)
            listener.connection.connect(len(held), uri, {}, ())
            held.append(listener)
            if len(held) % 200 == 0:
                gevent.sleep(0.01)
        while Echoed.opened_times < to:
            gevent.sleep(0.01)
        gc.collect()

    grow(50)
    before, began = resident(), time.process_time()
    grow(50 + sessions)
    opening = (time.process_time() - began) / sessions * 1e6
    kib = (resident() - before) / sessions / 1024
    for listener in held[:BUSY]:
        listener.connection.send(MESSAGE)
    costs = []
    for _ in range(ROUNDS):
        began, trips = time.process_time(), Echoed.trips
        gevent.sleep(1.0)
        costs.append((time.process_time() - began) / (Echoed.trips - trips) * 1e6)
    server.kill()
    server.join()
    directory.cleanup()
    return kib, opening, statistics.median(costs)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def report(way: str, sessions: int) -> None:
    kib, opening, trip = measure(way, sessions)
    print(f"{way:8} {kib:14.1f} {opening:14.0f} {trip:17.1f}", flush=True)
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=2000)
    sessions = parser.parse_args().sessions
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * sessions + 1000), hard))
    print("way       KiB/session  CPU us/opening  CPU us/round trip")
    for way in WAYS:  # each in a process of its own: nothing of one is in another's memory
        child = multiprocessing.get_context("spawn").Process(target=report, args=(way, sessions))
        child.start()
        child.join()


if __name__ == "__main__":
    main()
