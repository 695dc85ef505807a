"""No tool at all: the least that does the work, with picows (Cython) under uvloop and msgspec. It records nothing."""

import asyncio
import json
import os
import time
from pathlib import Path

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

RATE = os.environ["BENCH_RATE"]
EVERY_S = 1 / float(RATE) if RATE not in ("max", "0") else 0.0
TEXT = os.environ["BENCH_TEXT"]
SESSIONS = int(os.environ["BENCH_SESSIONS"])
RAMP_S = float(os.environ["BENCH_RAMP_S"])
LOAD_S = float(os.environ["BENCH_LOAD_S"])
AT_ONCE = 1000
encode = msgspec.json.Encoder().encode
took_ms: list[float] = []


class Frame(msgspec.Struct):
    """What comes and goes."""

    id: str
    room: str
    text: str


decode = msgspec.json.Decoder(Frame).decode


class Session(WSListener):
    """One session."""

    number = 0

    def __init__(self) -> None:
        self.prefix = f"s{Session.number}-"
        self.first = EVERY_S * Session.number / SESSIONS
        Session.number += 1
        self.seq = 0
        self.sent: dict[str, float] = {}

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        if RATE == "max":
            self.say()
        elif EVERY_S:
            self.due = self.loop.time() + self.first
            self.loop.call_at(self.due, self.when_due)

    def when_due(self) -> None:
        self.say()
        self.due += EVERY_S
        if not over:
            self.loop.call_at(self.due, self.when_due)

    def say(self) -> None:
        mine = f"{self.prefix}{self.seq}"
        self.seq += 1
        self.sent[mine] = time.perf_counter()
        self.transport.send(WSMsgType.TEXT, encode(Frame(mine, "room", TEXT)))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        began = self.sent.pop(decode(frame.get_payload_as_bytes()).id, None)
        if began is not None:
            took_ms.append((time.perf_counter() - began) * 1000)
            if RATE == "max" and not over:
                self.say()


over = False


async def main() -> None:
    global over
    loop = asyncio.get_running_loop()
    begun = loop.time()
    some = asyncio.Semaphore(AT_ONCE)
    sessions = []

    async def one(number: int) -> None:
        await asyncio.sleep(max(0.0, begun + RAMP_S * number / SESSIONS - loop.time()))
        async with some:
            sessions.append(await ws_connect(Session, os.environ["BENCH_URL"], websocket_handshake_timeout=30))

    await asyncio.gather(*(one(number) for number in range(SESSIONS)))
    await asyncio.sleep(max(0.0, begun + RAMP_S + LOAD_S + 1 - loop.time()))
    over = True
    for transport, _ in sessions:
        transport.disconnect()
    ordered = sorted(took_ms)
    if ordered:
        found = {"p50_ms": ordered[len(ordered) // 2], "p99_ms": ordered[len(ordered) * 99 // 100]}
        Path(os.environ["BENCH_OUT"]).write_text(json.dumps(found))


uvloop.run(main())
