"""A server of rooms with REST routes and a WebSocket, written for the tests and independent of the reference endpoint.

    python tests/patterns/rooms_server.py [--lose SHARE] [--throttle PER_S] [--token TOKEN] [--uses N] [--lie CODE]

It prints its url (`http://127.0.0.1:PORT`) and serves until it is ended. It must not import anything of Squall's: what
it knows of the protocol is what the board of decisions says. In memory, one process, no tenants. `--lose` forgets that
part of the messages after having confirmed them; `--uses`: a token is had at
/login and good for so many requests. `--lie` answers every poll but a room's first with this status.
"""

import argparse
import asyncio
import contextlib
import json
import random
import time

from aiohttp import WSMsgType, web


class Room:
    def __init__(self):
        self.frames = []
        self.last = 0
        self.members = set()
        self.news = asyncio.Event()

    def add(self, frame):
        self.last += 1
        frame["seq"] = self.last
        self.frames.append(frame)
        news, self.news = self.news, asyncio.Event()
        news.set()


class Server:
    def __init__(self, options):
        self.options = options
        self.rooms = {}
        self.chance = random.Random(1)
        self.buckets = {}
        self.sockets = {}
        self.sending = set()
        self.tokens, self.logins = {}, 0

    def room(self, name):
        return self.rooms.setdefault(name, Room())

    def application(self):
        app = web.Application(middlewares=[self.guarded], client_max_size=2000)
        app.router.add_post("/rooms/{room}/messages", self.post)
        app.router.add_get("/rooms/{room}/messages", self.poll)
        app.router.add_get("/ws", self.websocket)
        app.router.add_get("/connections", self.connections)
        return app

    @web.middleware
    async def guarded(self, request, handler):
        if self.options.uses and request.path == "/login":
            self.logins += 1
            self.tokens[f"Bearer token-{self.logins}"] = self.options.uses
            return web.json_response({"token": f"token-{self.logins}"})
        if self.options.uses:
            shown = request.headers.get("Authorization", "")
            self.tokens[shown] = self.tokens.get(shown, 0) - 1
            if self.tokens[shown] < 0:
                return refusal(401, "log in again")
        token = self.options.token
        if token and request.headers.get("Authorization") != f"Bearer {token}":
            return refusal(401, "who are you?")
        return await handler(request)

    async def post(self, request):
        name = request.match_info["room"]
        try:
            text = await request.text()
        except web.HTTPRequestEntityTooLarge:
            return refusal(413, "too long")
        try:
            body = json.loads(text)
            ref, said = body["requestId"], body["payload"]["text"]
            if set(body) != {"version", "requestId", "payload", "timestamp"} or not isinstance(said, str) or not said:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            return refusal(400, "not a message")
        wait_s = self.throttled(ref.rpartition("-")[0])
        if wait_s:
            return refusal(429, "slow down", {"Retry-After": str(int(wait_s) + 1)})
        seq = self.publish(name, ref, said)
        return web.json_response({"requestId": ref, "roomId": name, "seq": seq, "version": "1.0"}, status=201)

    def throttled(self, who):
        rate = self.options.throttle
        if not rate:
            return 0
        now = time.monotonic()
        tokens, at = self.buckets.get(who, (2 * rate, now))
        tokens = min(2 * rate, tokens + (now - at) * rate)
        self.buckets[who] = (tokens - 1 if tokens >= 1 else tokens, now)
        return 0 if tokens >= 1 else (1 - tokens) / rate

    def publish(self, name, ref, said):
        room = self.room(name)
        frame = {"version": "1.0", "action": "message", "requestId": ref, "roomId": name,
                 "payload": {"text": said, "sender": ref.rpartition("-")[0]}, "timestamp": 0}  # fmt: skip
        if self.chance.random() < self.options.lose:
            room.last += 1
            return room.last
        room.add(frame)
        for socket in room.members:
            if not socket.closed:
                self.sending.add(task := asyncio.ensure_future(send(socket, frame)))
                task.add_done_callback(self.sending.discard)
        return frame["seq"]

    async def poll(self, request):
        room = self.room(request.match_info["room"])
        after, limit = int(request.query.get("after", 0)), int(request.query.get("limit", 100))
        wait_s = float(request.query.get("wait", 0))
        if self.options.lie and limit:
            return refusal(self.options.lie, "no", {"Retry-After": "1"})
        until = time.monotonic() + wait_s
        while True:
            news = room.news
            found = [frame for frame in room.frames if frame["seq"] > after][:limit]
            left_s = until - time.monotonic()
            if found or not limit or left_s <= 0:
                return web.json_response({"messages": found, "last": found[-1]["seq"] if found else room.last})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), left_s)

    async def websocket(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets[socket] = request.query.get("client", "")
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self.frame(socket, message.data)
        finally:
            del self.sockets[socket]
            for room in self.rooms.values():
                room.members.discard(socket)
        return socket

    async def frame(self, socket, text):
        try:
            frame = json.loads(text)
            action, ref, name = frame["action"], frame["requestId"], frame["roomId"]
            said = frame["payload"]["text"] if action == "sendMessage" else ""
        except (ValueError, KeyError, TypeError):
            await send(socket, {"action": "error", "payload": {"code": 400, "message": "not a request"}})
            return
        if action == "joinRoom":
            self.room(name).members.add(socket)
        elif action == "leaveRoom":
            self.room(name).members.discard(socket)
        else:
            self.publish(name, ref, said)
        await send(socket, {"version": "1.0", "action": "ack", "requestId": ref, "roomId": name})

    async def connections(self, request):
        return web.json_response({"connections": [{"clientId": client} for client in self.sockets.values()]})


def refusal(status, message, headers=None):
    return web.json_response({"code": status, "message": message}, status=status, headers=headers)


async def send(socket, frame):
    with contextlib.suppress(ConnectionError, RuntimeError):
        await socket.send_str(json.dumps(frame))


async def serve(options):
    runner = web.AppRunner(Server(options).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lose", type=float, default=0.0)
    parser.add_argument("--throttle", type=float, default=0.0)
    parser.add_argument("--token", default="")
    parser.add_argument("--uses", type=int, default=0)
    parser.add_argument("--lie", type=int, default=0)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
