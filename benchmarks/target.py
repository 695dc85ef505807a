"""The server that every benchmark loads: picows (Cython) under uvloop, which neither Squall nor a peer wrote.

A process of its own, run by the interpreter of `.cache/bench/target` (benchmarks/installing.py); it must not import
Squall. It never looks into a message: the path says who should get it, so that its cost a message is the system's.

    /echo                  the sender itself
    /rooms/R?session=N     everybody in room N modulo R, the sender too (without N: as they come)

The subtle thing: openings are stamped here, so that "opened so many a second" is the server's word and not a tool's.
They last from the first TCP connection (one tool makes all of these before it asks for the first upgrade) to the last
upgrade, and the first is the first since nobody was here, for a tool may knock once and go (as Squall does, to see
whether it would be let in) long before it opens its sessions.
A second port answers questions, a line each: `stat` with counters as JSON, `reset` with the counters set to zero,
`holds` with how long each message was really held, in the order of their coming.

With `--hold-ms FILE` (a JSON list, one number a message, used in turn) it holds each message that long before it
answers. It spins while anything is held, since an event loop's timers have millisecond grain: give it a core.
"""

import argparse
import asyncio
import heapq
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from itertools import count, cycle
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiofastnet
import uvloop
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

DESCRIPTORS = 50_000
BACKLOG = 4096  # as much as the kernel allows by default


class Counters:
    """What has happened since the last reset."""

    def __init__(self) -> None:
        self.received = self.sent = self.opened = self.closed = self.earlier = 0
        self.first_open_ns = self.last_open_ns = 0

    def upgraded(self, accepted_ns: int) -> None:
        """One more is here, whose TCP connection was accepted then."""
        self.last_open_ns = time.monotonic_ns()
        if self.opened == self.closed:
            self.earlier, self.first_open_ns = self.opened, accepted_ns
        self.first_open_ns = min(self.first_open_ns, accepted_ns)
        self.opened += 1

    def as_dict(self) -> dict[str, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return vars(self) | {"at_ns": time.monotonic_ns(), "cpu_s": used.ru_utime + used.ru_stime}


counters = Counters()
accepted_ns: dict[int, int] = {}
"""When the connection of each protocol object was accepted that has not been upgraded yet."""
rooms: dict[tuple[str, int], list[WSTransport]] = {}


class Client(WSListener):
    """One connection."""

    numbers = count()  # who does not say which session it is gets the next number

    def __init__(self, request: WSUpgradeRequest) -> None:
        parts = urlsplit(request.path.decode())
        first, _, number = parts.path.strip("/").partition("/")
        session = int(parse_qs(parts.query).get("session", [next(self.numbers)])[0])
        self.room: list[WSTransport] = []
        if first == "rooms":
            self.room = rooms.setdefault((number, session % int(number)), [])

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.room.append(transport)
        counters.upgraded(accepted_ns.pop(id(transport.underlying_transport.get_protocol())))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            message = frame.get_payload_as_bytes()
            counters.received += 1
            counters.sent += len(self.room)
            for member in self.room:
                member.send(WSMsgType.TEXT, message)
        elif frame.msg_type == WSMsgType.CLOSE:
            code = frame.get_close_code()
            transport.send_close(WSCloseCode.OK if code is WSCloseCode.NO_INFO else code)
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        counters.closed += 1
        self.room.remove(transport)


class Holding(Client):
    """One connection whose messages are answered after a given while."""

    delays_ns: "cycle[int]"
    holds_ns: list[int] = []  # noqa: RUF012
    _heap: list[tuple[int, int, int, WSTransport, bytes]] = []  # noqa: RUF012
    _number = count()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            super().on_ws_frame(transport, frame)
            return
        counters.received += 1
        came = time.monotonic_ns()
        due = came + next(self.delays_ns)
        idle = not self._heap
        heapq.heappush(self._heap, (due, next(self._number), came, transport, frame.get_payload_as_bytes()))
        if idle:
            asyncio.get_running_loop().call_soon(self._spin)

    @classmethod
    def _spin(cls) -> None:
        heap = cls._heap
        now = time.monotonic_ns()
        while heap and heap[0][0] <= now:
            _, number, came, transport, message = heapq.heappop(heap)
            if not transport.is_disconnected:
                transport.send(WSMsgType.TEXT, message)
                counters.sent += 1
            now = time.monotonic_ns()
            while len(cls.holds_ns) <= number:
                cls.holds_ns.append(0)
            cls.holds_ns[number] = now - came
        if heap:
            asyncio.get_running_loop().call_soon(cls._spin)


async def stamping(loop: asyncio.AbstractEventLoop, factory: Callable[[], object], **more: object) -> asyncio.Server:
    """In place of aiofastnet.create_server, through which picows listens: nobody is told when a connection begins."""

    def accepted() -> object:
        protocol = factory()
        accepted_ns[id(protocol)] = time.monotonic_ns()
        return protocol

    return await listen(loop, accepted, **more)


listen, aiofastnet.create_server = aiofastnet.create_server, stamping


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The second port."""
    global counters
    while line := await reader.readline():
        asked = line.decode().strip()
        if asked == "reset":
            counters = Counters()
            Holding.holds_ns.clear()
            Holding._number = count()
        said = Holding.holds_ns if asked == "holds" else counters.as_dict()
        writer.write(json.dumps(said).encode() + b"\n")
        await writer.drain()
    writer.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hold-ms", type=Path, help="a JSON list of delays")
    parser.add_argument("--port", type=int, default=0, help="shared with others of its kind")
    options = parser.parse_args()
    hold = options.hold_ms
    kind = Client
    if hold:
        kind = Holding
        Holding.delays_ns = cycle([round(each * 1e6) for each in json.loads(hold.read_text())])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, max(hard, DESCRIPTORS)))
    except (OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = await ws_create_server(
        kind, "127.0.0.1", options.port, backlog=BACKLOG, websocket_handshake_timeout=30, reuse_port=True
    )
    questions = await asyncio.start_server(answer, "127.0.0.1", 0)
    ports = [each.sockets[0].getsockname()[1] for each in (server, questions)]
    print(json.dumps({"port": ports[0], "questions": ports[1], "pid": os.getpid()}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        uvloop.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
