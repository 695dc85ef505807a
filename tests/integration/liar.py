"""A small room server in a thread of its own, which can fail to answer in one way, and counts."""

import asyncio
import contextlib
import json
import threading
from collections import defaultdict

from websockets.asyncio.server import serve

PROTOCOL = """
[endpoint]
url = "ws://127.0.0.1:{port}/ws"
dialect = "json"
answer_timeout_s = 2.0
{order}
[endpoint.json]
join = {{ op = "enter", room = "{{room}}", id = "{{id}}" }}
leave = {{ op = "exit", room = "{{room}}", id = "{{id}}" }}
publish = {{ op = "say", room = "{{room}}", id = "{{id}}", text = "{{text}}" }}
[endpoint.json.ack]
match = {{ op = "ok" }}
{id}
[endpoint.json.error]
match = {{ op = "no" }}
{id}
code = "code"
[endpoint.json.delivery]
match = {{ op = "said" }}
id = "id"
room = "room"
"""


class Liar:
    """Listens on 127.0.0.1.

    Args:
        answers: called with the request's op and how many requests came before it; "ok", "no" (an error), "silent",
            "nameless" (an error without an id), "late" (answered with what comes next) or "close" for what to do.
    """

    def __init__(self, answers=lambda op, before: "ok") -> None:
        self._answers = answers
        self._rooms = defaultdict(set)
        self.asked = 0
        self.did = defaultdict(int)
        """How many requests it treated in each way."""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)

    def __enter__(self):
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *exc):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        async with serve(self._talk, "127.0.0.1", 0, close_timeout=0.2) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._over.wait()

    async def _talk(self, peer) -> None:
        waiting = []
        with contextlib.suppress(Exception):
            async for text in peer:
                frame = json.loads(text)
                what = self._answers(frame["op"], self.asked)
                self.asked += 1
                self.did[what] += 1
                if what == "close":
                    await peer.close(1001)
                    return
                waiting.append((what, frame))
                if what != "late":
                    for each in waiting:
                        await self._answer(peer, *each)
                    waiting.clear()
        for members in self._rooms.values():
            members.discard(peer)

    async def _answer(self, peer, what: str, frame: dict) -> None:
        members = self._rooms[frame["room"]]
        if what in ("no", "nameless"):
            named = {"id": frame["id"]} if what == "no" else {}
            await peer.send(json.dumps({"op": "no", "code": 500, **named}))
            return
        if what == "silent":
            return
        if frame["op"] == "enter":
            members.add(peer)
        elif frame["op"] == "exit":
            members.discard(peer)
        await peer.send(json.dumps({"op": "ok", "id": frame["id"]}))
        if frame["op"] == "say":
            for member in list(members):
                with contextlib.suppress(Exception):
                    await member.send(json.dumps({**frame, "op": "said"}))

    def plan(self, load: str = "", order: str = "any") -> str:
        """A plan for it."""
        named = 'id = "id"' if order == "any" else ""
        return PROTOCOL.format(port=self.port, order=f'order = "{order}"', id=named) + (
            "[load]\nsessions = 4\nrooms = 2\nrate_per_s = 5.0\nramp_s = 0.3\nduration_s = 3.0\nsettle_s = 0.5\n" + load
        )
