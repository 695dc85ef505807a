"""A server that tells all it knows: it repeats every token in refusals, errors and close reasons. Prints its port.

GET /ws?client=KEY wants a token (header, cookie, query or subprotocol); the first connection of every odd session is
refused, each first message is answered with an error, each fifth closes the connection. POST /login sells tokens for
the password in GUARDED_PASSWORD; every third login is refused. `/told` gives every token that was ever seen.
"""

import asyncio
import os
import secrets
import sys

from aiohttp import WSMsgType, web

TOLD = set()
LOGINS = 0


async def login(request):
    global LOGINS
    LOGINS += 1
    asked = await request.json()
    if asked["password"] != os.environ["GUARDED_PASSWORD"] or LOGINS % 3 == 0:
        return web.json_response({"no": asked, "headers": dict(request.headers)}, status=403)
    token = f"sold-{secrets.token_urlsafe(24)}"
    TOLD.add(token)
    return web.json_response({"access_token": token, "expires_in": 3600})


def token_of(request):
    offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    return (
        request.headers.get("Authorization", "").removeprefix("Bearer ")
        or request.cookies.get("token")
        or request.query.get("token")
        or (offered[1] if len(offered) > 1 else "")
    )


async def talk(request):
    token = token_of(request)
    if not token:
        return web.Response(status=401, text="no token")
    TOLD.add(token)
    _, session, conn = request.query["client"].rsplit("-", 2)
    if int(session) % 2 and conn == "0":
        said = {"bad": token, "url": str(request.url), "headers": dict(request.headers)}
        return web.json_response(said, status=401, headers={"X-Your-Token": token})
    socket = web.WebSocketResponse(protocols=("bearer",))
    await socket.prepare(request)
    count = 0
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            continue
        count += 1
        asked = message.json()
        if count == 1:
            await socket.send_json({"type": "error", "id": asked["id"], "code": 403, "why": f"not with {token}"})
        elif count == 5:
            await socket.close(code=4000, message=f"enough of {token}".encode()[:123])
        else:
            await socket.send_json({"type": "ack", "id": asked["id"]})
    return socket


async def told(request):
    return web.json_response(sorted(TOLD))


async def main():
    application = web.Application()
    application.add_routes([web.post("/login", login), web.get("/ws", talk), web.get("/told", told)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
