"""What a client can do to HTTP below its surface: broken bodies, bytes that are no text, slowness."""

import asyncio
import socket
import zlib

import aiohttp
import pytest
from aiohttp import web
from websockets.sync.client import connect

from harness.endpoint import http
from harness.endpoint.http import answer, read_bytes, refusing

VALID = b'{"version":"1.0","requestId":"i1","payload":{"text":"hi"},"timestamp":1}'


def said(endpoint, head, *parts, half_close=False):
    """The first bytes of the answer to a raw POST; a token and the type are put into its head."""
    host, port = endpoint.http.removeprefix("http://").split(":")
    opening = f"POST /rooms/raw/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {endpoint.token()}\r\n"
    opening += f"Content-Type: application/json\r\n{head}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(opening.encode() + b"".join(parts))
        if half_close:
            client.shutdown(socket.SHUT_WR)
        return client.recv(4096)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Transfer-Encoding: chunked", b"ZZ\r\nabc\r\n0\r\n\r\n"),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n"),
        ("Content-Length: -3", b"abc"),
        ("X: " + "a" * 100_000, b""),
    ],
    ids=["chunk size", "two lengths", "negative length", "huge header"],
)
def test_a_request_that_is_framed_wrongly_is_400(endpoint, head, body):
    assert b" 400 " in said(endpoint, head, body).partition(b"\r\n")[0]


@pytest.mark.parametrize("head", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_client_that_leaves_in_the_middle_of_a_body_harms_nobody(endpoint, head):
    for _ in range(3):
        said(endpoint, head, b"fff\r\n" + VALID, half_close=True)
    status, body = endpoint.call("GET", "/rooms/raw/messages", token=endpoint.token())
    assert (status, body["last"]) == (200, 0)  # and the fixture looks for tracebacks


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "made-up"])
def test_a_compressed_body_is_415_and_never_inflated(endpoint, encoding):
    body = zlib.compress(b"0" * 50_000_000)
    told = said(endpoint, f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}", body)
    assert b" 415 " in told.partition(b"\r\n")[0]


def test_bytes_that_are_no_text_in_a_token_are_401(endpoint):
    host, port = endpoint.http.removeprefix("http://").split(":")
    for path in (b"/rooms", b"/ws"):
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\xfe\r\n")
            client.sendall(b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" if path == b"/ws" else b"\r\n")
            assert b" 401 " in client.recv(4096).partition(b"\r\n")[0]


def test_bytes_that_are_no_text_in_a_client_s_name_or_agent_are_shown_as_question_marks(endpoint):
    host, port = endpoint.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(
            f"GET /ws?client=k%ff&token={endpoint.token()} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n".encode()
        )
        client.sendall(b"User-Agent: a\xff\r\n\r\n")
        assert b" 101 " in client.recv(4096).partition(b"\r\n")[0]
        (item,) = endpoint.listed()
        assert item["clientId"].startswith("k") and item["clientId"].isprintable()
        status, told = endpoint.call("GET", f"/@connections/{item['connectionId']}", token=endpoint.admin())
        assert (status, told["identity"]["userAgent"]) == (200, "a?")
    endpoint.eventually_listed(set())


@pytest.mark.parametrize("claims", [{"sub": "\ud800"}, {"tenant": "\ud800"}, {"sub": ""}], ids=ascii)
def test_a_token_whose_claims_cannot_be_told_to_others_is_401(endpoint, claims):
    token = endpoint.token(**claims)
    assert endpoint.call("GET", "/rooms", token=token)[0] == 401
    with pytest.raises(Exception, match="401"), connect(f"{endpoint.url}?token={token}"):
        pass


async def slow_answer():
    """The status that a body gets which does not come."""

    async def route(request):
        return answer({"size": len(await read_bytes(request))})

    application = web.Application(middlewares=[refusing])
    application.router.add_post("/", route)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()

        async def body():
            yield b"some"
            await asyncio.sleep(60)

        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with aiohttp.ClientSession() as session, session.post(url, data=body()) as told:
            return told.status
    finally:
        await runner.cleanup()


def test_a_body_that_does_not_come_is_408_after_a_while(monkeypatch):
    monkeypatch.setattr(http, "BODY_S", 0.05)
    assert asyncio.run(asyncio.wait_for(slow_answer(), 20)) == 408
