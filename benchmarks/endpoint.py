"""What the reference endpoint carries: deliveries, connects, idle memory, and two processes over Redis against one.

    .venv/bin/python benchmarks/endpoint.py            # all of it, about two minutes
    .venv/bin/python benchmarks/endpoint.py deliveries # one of: deliveries connects idle processes

Printed, never asserted. The client is this process: bare frames on asyncio with uvloop, no code of the endpoint or of
the harness. CPU seconds are told beside the wall clock, because this machine may be busy with other things.
"""

import asyncio
import contextlib
import json
import os
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import uvloop

SECRET = secrets.token_urlsafe(32)
WIDE = ("--throttle-per-s", "1000000", "--throttle-burst", "1000000", "--ping-interval-s", "0", "--log-level", "error",
        "--connects-per-s", "0", "--endpoint-per-s", "0", "--tenant-per-s", "0")  # fmt: skip
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Served:
    """A running endpoint and what it costs, children included."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "harness.endpoint", "serve", *WIDE, *options]
        environment = os.environ | {"SQUALL_JWT_SECRET": SECRET}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        url = self._process.stdout.readline().strip()
        self.port = int(url.rpartition(":")[2].partition("/")[0])

    def pids(self) -> list[int]:
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children] or [pid]

    def cpu_s(self) -> float:
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids()]
        return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS_PER_S

    def resident_kib(self) -> int:
        lines = [line for pid in self.pids() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@contextlib.contextmanager
def serving(*options: str) -> Iterator[Served]:
    served = Served(*options)
    try:
        yield served
    finally:
        served.stop()


class Client(asyncio.Protocol):
    """A bare WebSocket client. `transits_ns` collects, over all clients, how long deliveries took."""

    def __init__(self, transits_ns: list[int]) -> None:
        self.open = asyncio.get_running_loop().create_future()
        self.acks = 0
        self.deliveries = 0
        self._transits_ns = transits_ns
        self._rest = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        token = jwt.encode({"sub": "ann", "aud": "squall", "exp": int(time.time()) + 600, "roles": ["member"]}, SECRET)
        transport.write(
            f"GET /ws?token={token} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if not self.open.done():
            head, _, data = (self._rest + data).partition(b"\r\n\r\n")
            self._rest = b""
            if head.startswith(b"HTTP/1.1 101"):
                self.open.set_result(None)
            else:
                self.open.set_exception(ConnectionError(head[:200]))
        data = self._rest + data
        at, end, now_ns = 0, len(data), time.monotonic_ns()
        while end - at >= 4:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            if end - start < size:
                break
            if data.startswith(b'"message"', start + 26):
                self.deliveries += 1
                text = data.find(b'"text":"', start) + 8
                self._transits_ns.append(now_ns - int(data[text : text + 20]))
            else:
                self.acks += 1
            at = start + size
        self._rest = data[at:]

    def send(self, action: str, text: str = "", room: str = "r") -> None:
        frame = {"version": "1.0", "action": action, "requestId": "b1", "roomId": room, "timestamp": 1}
        payload = json.dumps(frame | ({"payload": {"text": text}} if text else {})).encode()
        head = (
            bytes((0x81, 0x80 | len(payload))) if len(payload) < 126 else b"\x81\xfe" + len(payload).to_bytes(2, "big")
        )
        self.transport.write(head + bytes(4) + payload)  # masked with zeros


async def connect(port: int, count: int, transits_ns: list[int], at_once: int = 64) -> list[Client]:
    gate = asyncio.Semaphore(at_once)

    async def one() -> Client:
        async with gate:
            _, client = await asyncio.get_running_loop().create_connection(
                lambda: Client(transits_ns), "127.0.0.1", port
            )
            await client.open
            return client

    return await asyncio.gather(*(one() for _ in range(count)))


async def speak(served: Served, rooms: int, members: int, messages_per_s: float, seconds: float) -> None:
    """Everybody in rooms of equal size; messages at a constant rate, round robin; what came of it, printed."""
    transits_ns: list[int] = []
    clients = await connect(served.port, rooms * members, transits_ns)
    for number, client in enumerate(clients):
        client.send("joinRoom", room=f"r{number % rooms}")
    while sum(client.acks for client in clients) < len(clients):
        await asyncio.sleep(0.01)
    padding = "x" * 100
    cpu_s, own_s, begin_s, sent = served.cpu_s(), time.process_time(), time.monotonic(), 0
    while (now_s := time.monotonic()) < begin_s + seconds:
        while sent < (now_s - begin_s) * messages_per_s:
            number = sent % len(clients)
            clients[number].send("sendMessage", f"{time.monotonic_ns():020}{padding}", f"r{number % rooms}")
            sent += 1
        await asyncio.sleep(0.001)
    spoken_s = time.monotonic() - begin_s
    due_s = time.monotonic() + 20
    while sum(client.deliveries for client in clients) < sent * members and time.monotonic() < due_s:
        await asyncio.sleep(0.01)
    wall_s = time.monotonic() - begin_s
    total = sum(client.deliveries for client in clients)
    transits_ns.sort()
    p50, p99 = (transits_ns[int(len(transits_ns) * share)] / 1e6 for share in (0.5, 0.99))
    used_s = served.cpu_s() - cpu_s
    own_share = (time.process_time() - own_s) / wall_s
    print(
        f"  {sent / spoken_s:7,.0f} messages/s: {total / wall_s:9,.0f} deliveries/s ({total} of {sent * members}),",
        end=" ",
    )
    print(f"p50 {p50:.1f} ms p99 {p99:.1f} ms; endpoint CPU {used_s / wall_s:4.0%} of a core,", end=" ")
    print(f"{used_s / total * 1e6:.1f} us a delivery; client CPU {own_share:4.0%}")
    for client in clients:
        client.transport.abort()


def deliveries() -> None:
    print("deliveries, rooms of 20, 200 clients, one process, store :memory:")
    for messages_per_s in (500, 1000, 1500, 2000):
        with serving() as served:
            uvloop.run(speak(served, 10, 20, messages_per_s, 6.0))


def connects() -> None:
    print("connects with JWT, 5,000")

    async def run(served: Served) -> None:
        cpu_s, own_s, begin_s = served.cpu_s(), time.process_time(), time.monotonic()
        clients = await connect(served.port, 5000, [])
        wall_s = time.monotonic() - begin_s
        used_s = served.cpu_s() - cpu_s
        own_share = (time.process_time() - own_s) / wall_s
        print(f"  {5000 / wall_s:,.0f} connects/s; endpoint CPU {used_s / 5000 * 1e6:.0f} us a connect =", end=" ")
        print(f"{5000 / used_s:,.0f} a CPU second; client CPU {own_share:.0%}")
        for client in clients:
            client.transport.abort()

    with serving() as served:
        uvloop.run(run(served))


def idle() -> None:
    print("5,000 idle connections")

    async def run(served: Served) -> None:
        for client in await connect(served.port, 200, []):  # what is allocated once
            client.transport.abort()
        await asyncio.sleep(1.0)
        before_kib = served.resident_kib()
        clients = await connect(served.port, 5000, [])
        await asyncio.sleep(2.0)
        now_kib = served.resident_kib()
        print(f"  {(now_kib - before_kib) / 5000:.1f} KiB each, {now_kib / 1024:.0f} MiB in all")
        for client in clients:
            client.transport.abort()

    with serving() as served:
        uvloop.run(run(served))


def processes() -> None:
    print(f"one and two processes over Redis, rooms of 20, 200 clients ({os.cpu_count()} cores for all)")
    port = "16479"
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    time.sleep(1)
    try:
        for database, count in enumerate((1, 2), 1):
            for messages_per_s in (500, 1000):
                with serving("--processes", str(count), "--store", f"redis://127.0.0.1:{port}/{database}") as served:
                    print(f"  {count} process(es)", end="")
                    uvloop.run(speak(served, 10, 20, messages_per_s, 6.0))
    finally:
        redis.terminate()
        redis.wait()


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    chosen = sys.argv[1:] or ["deliveries", "connects", "idle", "processes"]
    for name in chosen:
        {"deliveries": deliveries, "connects": connects, "idle": idle, "processes": processes}[name]()
