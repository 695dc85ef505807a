"""Molotov: a worker a session; it reports no times itself, so the script keeps them and writes them at the end."""

import asyncio
import json
import os
import time
from itertools import count
from pathlib import Path

from molotov import global_teardown, scenario, setup_session, teardown_session

RATE = os.environ["BENCH_RATE"]
EVERY_S = 1 / float(RATE) if RATE not in ("max", "0") else 0.0
ROOMS = int(os.environ["BENCH_ROOMS"])
TEXT = os.environ["BENCH_TEXT"]
SESSIONS = int(os.environ["BENCH_SESSIONS"])
NUMBERS = count()
took_ms: list[float] = []


@setup_session()
async def begin(worker_num, session):  # type: ignore[no-untyped-def]
    """Connect once; the scenario then runs over and over on this connection."""
    session.ws = await session.ws_connect(os.environ["BENCH_URL"], compress=0)
    number = next(NUMBERS)
    session.prefix, session.seq, session.sent = f"s{number}-", 0, {}
    session.due = time.perf_counter() + EVERY_S * number / SESSIONS
    session.reader = asyncio.ensure_future(read(session)) if ROOMS else None


@teardown_session()
async def end(worker_num, session):  # type: ignore[no-untyped-def]
    if session.reader is not None:
        session.reader.cancel()
    await session.ws.close()


async def read(session):  # type: ignore[no-untyped-def]
    """Everything that comes, for ever."""
    while True:
        await receive(session)


async def receive(session):  # type: ignore[no-untyped-def]
    """One frame; its id."""
    came = json.loads(await session.ws.receive_str())["id"]
    began = session.sent.pop(came, None)
    if began is not None:
        took_ms.append((time.perf_counter() - began) * 1000)
    return came


@scenario(weight=100)
async def say(session):  # type: ignore[no-untyped-def]
    if RATE == "0":
        await asyncio.sleep(3600)
    if EVERY_S:
        session.due += EVERY_S
        await asyncio.sleep(max(0.0, session.due - time.perf_counter()))
    mine = f"{session.prefix}{session.seq}"
    session.seq += 1
    session.sent[mine] = time.perf_counter()
    await session.ws.send_str(json.dumps({"id": mine, "room": "room", "text": TEXT}))
    while not ROOMS and await receive(session) != mine:
        pass


@global_teardown()
def write():  # type: ignore[no-untyped-def]
    ordered = sorted(took_ms)
    if ordered:
        found = {"p50_ms": ordered[len(ordered) // 2], "p99_ms": ordered[len(ordered) * 99 // 100]}
        Path(os.environ["BENCH_OUT"]).write_text(json.dumps(found))
