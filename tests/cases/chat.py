"""A chat server of another make than the reference endpoint. It is wrong in one way, and counts how often it was.

    python chat.py PORT [--fault NAME]

In:  {"do": "join" | "leave" | "say", "to": room, "ref": id, "body": text}
Out: {"is": "ok", "ref": id}   {"is": "msg", "room", "ref", "by", "body"}   {"is": "err", "ref", "code", "why"}

On SIGTERM it prints one line of JSON: how often the fault struck, and what else it did.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import signal
import socket
import struct
import time
from collections import defaultdict, deque
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

EVERY = 40
"""A fault that strikes now and then strikes every so many times."""
MUTE_AFTER_S = 5.0
FREEZE_S = 3.0
FAULTS = (
    "none", "lose", "twice", "mute", "renamed", "own-ids", "anonymous-errors", "refuses", "cut-text", "broken-letters",
    "other-name", "outlived", "one-for-all", "waits-for-each", "two-orders", "half-refused", "fast-bucket",
    "slow-bucket", "other-room", "history", "resets-after-close",
)  # fmt: skip


class Bucket:
    """A token bucket of 20."""

    def __init__(self, per_s: float) -> None:
        self.per_s = per_s
        self.tokens, self.refilled = 20.0, time.monotonic()

    def take(self) -> bool:
        """Whether there is a token left; then it is taken."""
        now = time.monotonic()
        self.tokens, self.refilled = min(20.0, self.tokens + (now - self.refilled) * self.per_s), now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Peer:
    """One connection."""

    def __init__(self, socket_: ServerConnection, per_s: float, factor: float) -> None:
        request = socket_.request
        assert request is not None
        self.socket = socket_
        self.name = parse_qs(urlsplit(request.path).query).get("me", [""])[0]
        self.expires = expiry(request.headers.get("Authorization", ""))
        self.rooms: set[str] = set()
        self.promised, self.bucket = Bucket(per_s), Bucket(per_s * factor)
        self.box: asyncio.Queue[str] = asyncio.Queue()

    async def drain(self) -> None:
        """Send what is waiting, in its order."""
        with contextlib.suppress(Exception):
            while True:
                await self.socket.send(await self.box.get())


def expiry(authorization: str) -> float:
    """When the token of a header expires; nothing of it is verified."""
    if not authorization:
        return float("inf")
    part = authorization.split()[1].split(".")[1]
    return float(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"])


class Chat:
    """All connections."""

    def __init__(self, fault: str, per_s: float) -> None:
        self.fault, self.per_s = fault, per_s
        self.peers: set[Peer] = set()
        self.rooms: dict[str, set[Peer]] = defaultdict(set)
        self.said: dict[str, deque[dict[str, object]]] = defaultdict(lambda: deque(maxlen=20))
        self.first_s = 0.0
        self.held: dict[Peer, str] = {}
        self.counts = {"struck": 0, "connections": 0, "accepted": 0, "refused": 0, "delivered": 0}
        self.turn = 0

    def strikes(self, name: str, every: int = EVERY) -> bool:
        """Whether this fault is on and it is its turn."""
        if self.fault != name:
            return False
        self.turn += 1
        self.counts["struck"] += self.turn % every == 0
        return self.turn % every == 0

    async def talk(self, socket_: ServerConnection) -> None:
        """One connection from beginning to end."""
        peer = Peer(socket_, self.per_s, {"fast-bucket": 1.5, "slow-bucket": 0.5}.get(self.fault, 1.0))
        self.peers.add(peer)
        if self.fault == "waits-for-each":
            socket_.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self.counts["connections"] += 1
        tasks = [asyncio.create_task(peer.drain()), asyncio.create_task(self.watch(peer))]
        try:
            with contextlib.suppress(ConnectionClosed):
                async for data in socket_:
                    await self.read(peer, data)
        finally:
            self.peers.discard(peer)
            for room in peer.rooms:
                self.rooms[room].discard(peer)
            for task in tasks:
                task.cancel()

    async def watch(self, peer: Peer) -> None:
        """End the connection with its token, or after 4 s where this server restarts."""
        if self.fault == "resets-after-close":
            await asyncio.sleep(4.0)
            await self.restart(peer)
        if peer.expires == float("inf") or self.fault == "outlived":
            return
        await asyncio.sleep(max(0.0, peer.expires - time.time() + 0.2))
        await peer.socket.close(4401, "token expired")

    async def restart(self, peer: Peer) -> None:
        """A close frame, and the socket gone at once: what the client has sent meanwhile is answered with a reset."""
        self.counts["struck"] += 1
        transport = peer.socket.transport
        transport.write(bytes([0x88, 2]) + struct.pack("!H", 1012))
        await asyncio.sleep(0)
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
        transport.close()

    async def read(self, peer: Peer, data: str | bytes) -> None:
        """One frame of a client's."""
        try:
            frame = json.loads(data, parse_constant=refuse)
            do, room, ref = frame["do"], frame["to"], frame["ref"]
            body = frame.get("body", "")
            if not all(isinstance(text, str) for text in (do, room, ref, body)) or (do == "say") != ("body" in frame):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            await self.malformed(peer)
            return
        if self.fault == "mute" and self.first_s and time.monotonic() > self.first_s + MUTE_AFTER_S:
            self.counts["struck"] += 1
            return
        if do == "join":
            await self.join(peer, room, ref)
        elif do == "leave":
            peer.rooms.discard(room)
            self.rooms[room].discard(peer)
            self.answer(peer, ref)
        else:
            await self.say(peer, room, ref, body)

    async def malformed(self, peer: Peer) -> None:
        """Refuse it; or fall, and take every connection along."""
        if self.fault != "one-for-all":
            peer.box.put_nowait(json.dumps({"is": "err", "code": 400, "why": "malformed"}))
            return
        self.counts["struck"] += len(self.peers) - 1
        for each in tuple(self.peers):
            self.peers.discard(each)
            each.socket.transport.abort()

    async def join(self, peer: Peer, room: str, ref: str) -> None:
        """Make a member, and replay what was said where this server does."""
        if self.fault == "half-refused" and int(peer.name.rpartition("-")[0].rpartition("-")[2] or 0) % 2:
            self.counts["struck"] += 1
            self.refuse(peer, ref, 403)
            return
        peer.rooms.add(room)
        self.rooms[room].add(peer)
        self.answer(peer, ref)
        if self.fault == "history":
            for message in self.said[room]:
                self.counts["struck"] += 1
                peer.box.put_nowait(json.dumps(message))

    async def say(self, peer: Peer, room: str, ref: str, body: str) -> None:
        """Accept a message and deliver it, or refuse it."""
        self.first_s = self.first_s or time.monotonic()
        if self.per_s and not self.is_within_limit(peer):
            self.counts["refused"] += 1
            self.refuse(peer, ref, 429)
            return
        if self.strikes("refuses"):
            self.refuse(peer, ref, "POLICY")
            return
        if self.strikes("anonymous-errors"):
            peer.box.put_nowait(json.dumps({"is": "err", "code": 500, "why": "internal"}))
            return
        self.counts["accepted"] += 1
        self.answer(peer, ref)
        message = {"is": "msg", "room": room, "ref": ref, "by": peer.name, "body": body}
        self.said[room].append(message)
        for member in tuple(self.rooms[room]):
            await self.deliver(member, message)

    def is_within_limit(self, peer: Peer) -> bool:
        """As the connection's bucket has it; it strikes where the promised one has it otherwise."""
        promised, real = peer.promised.take(), peer.bucket.take()
        self.counts["struck"] += promised is not real
        return real

    async def deliver(self, member: Peer, message: dict[str, object]) -> None:
        """One delivery, with whatever is wrong about it."""
        body = str(message["body"])
        if self.strikes("lose"):
            return
        self.counts["struck"] += self.fault in ("renamed", "own-ids")
        if self.fault == "renamed":
            message = {**message, "is": "said"}
        elif self.fault == "own-ids":
            message = {**message, "ref": f"srv-{self.counts['delivered']}"}
        elif self.strikes("cut-text"):
            message = {**message, "body": body[: len(body) // 2]}
        elif self.strikes("broken-letters"):
            message = {**message, "body": body.encode("latin-1", "replace").decode("latin-1")}
        elif self.strikes("other-name"):
            others = [peer.name for peer in self.peers if peer.name != message["by"]]
            message = {**message, "by": others[0]}
        elif self.strikes("other-room"):
            message = {**message, "room": "elsewhere"}
        text = json.dumps(message)
        self.counts["delivered"] += 1
        self.counts["struck"] += self.fault == "outlived" and time.time() > member.expires + 2
        if self.fault == "waits-for-each":
            await self.wait_for(member, text)
            return
        if self.fault == "two-orders" and member.name[-1:] in "02468":
            if held := self.held.pop(member, ""):  # every second receiver hears two messages the wrong way round
                self.counts["struck"] += 1
                member.box.put_nowait(text)
                member.box.put_nowait(held)
                return
            if self.counts["delivered"] % 10 == 0:
                self.held[member] = text
                return
        member.box.put_nowait(text)
        if self.strikes("twice"):
            member.box.put_nowait(text)

    async def wait_for(self, member: Peer, text: str) -> None:
        """Send and wait until the bytes have gone; cut a member that does not read."""
        begun = time.monotonic()
        try:
            await asyncio.wait_for(member.socket.send(text), FREEZE_S)
        except TimeoutError:
            member.socket.transport.abort()
        except ConnectionClosed:
            pass
        self.counts["struck"] += time.monotonic() - begun > 1

    def answer(self, peer: Peer, ref: str) -> None:
        """Say that it was accepted."""
        peer.box.put_nowait(json.dumps({"is": "ok", "ref": ref}))

    def refuse(self, peer: Peer, ref: str, code: object) -> None:
        """Say that it was not."""
        peer.box.put_nowait(json.dumps({"is": "err", "ref": ref, "code": code, "why": "refused"}))


def refuse(_constant: str) -> None:
    """Python's json would take NaN."""
    raise ValueError


async def main() -> None:
    """Serve until SIGTERM, and print the counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--fault", choices=FAULTS, default="none")
    parser.add_argument("--per-s", type=float, default=0.0, help="tokens per second of each connection's bucket")
    given = parser.parse_args()
    chat = Chat(given.fault, given.per_s)
    async with serve(chat.talk, "127.0.0.1", given.port, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        print(json.dumps(chat.counts), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
