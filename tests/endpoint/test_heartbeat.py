"""A stream on which nothing is said: in this process, with a short heartbeat, because the real one is 15 s."""

import asyncio

import aiohttp
from aiohttp import web

from harness.endpoint import sse
from harness.endpoint.sse import Streams
from harness.endpoint.subscription import Subscriptions
from tests.waiting import until_async


class Quiet:
    """What a stream needs of the hub, the gate and the names: one room, open to all."""

    def __init__(self):
        self.store = self
        self.closed_for = ""
        self.subscriptions = Subscriptions()

    def subscribe(self, tenant, room):
        return self.subscriptions.add(tenant, room)

    async def history(self, tenant, room, after, limit):
        return []

    async def last(self, tenant, room):
        return 0

    async def member(self, request):
        return self

    def of(self, request, identity):
        return "r"

    tenant = "t"


async def first_bytes(quiet, count):
    """The first so many bytes of a stream; then its client goes, and the stream ends."""
    streams = Streams(quiet, quiet, quiet)
    application = web.Application()
    streams.add_routes(application.router)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/rooms/r/events"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            data = await answer.content.readexactly(count)
        await until_async(lambda: not quiet.subscriptions)
        return data
    finally:
        await runner.cleanup()


def test_a_stream_on_which_nothing_is_said_sends_comments_and_notices_by_them_that_its_client_has_gone(monkeypatch):
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.02)
    opening = b"retry: 1000\n\n"
    data = asyncio.run(first_bytes(Quiet(), len(opening) + 6))
    assert data == opening + b":\n\n:\n\n"
