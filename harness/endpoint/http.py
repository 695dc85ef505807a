"""What all routes share: the token, the body, the numbers of a query, answers and refusals.

Bodies go through the parser that reads WebSocket frames, so that whatever is malformed on one side is malformed on the
other.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

import jsonschema_rs
import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from . import envelope
from .authorizer import Handshake
from .counters import Counters
from .quiet import AtMost
from .refusal import Refused
from .state import StoreDown

_details = AtMost(logging.getLogger("squall.endpoint"), per_s=20)

BEARER = "bearer"
WEBSOCKET = "/ws"
MAX_INTEGER = (1 << 53) - 1
"""The greatest integer that every JSON parser keeps exact."""

BODY_S = 10.0
"""How long a body may take."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def counting(counters: Counters) -> Middleware:
    """A middleware that counts calls, by route and known method only: a client can invent any number of others."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        answered = await handler(request)
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "none"
        if route != WEBSOCKET:  # upgrades have counters of their own
            method = request.method if request.method in hdrs.METH_ALL else "other"
            counters.calls[method, route, answered.status] += 1
        return answered

    return count


@web.middleware
async def refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every refusal (ours, the store's 503, aiohttp's 404, 405 and 413) into one form of JSON answer."""
    try:
        return await handler(request)
    except Refused as refused:
        return refusal(refused)
    except StoreDown as error:
        return refusal(Refused(503, "not now, try again later", detail=str(error)))
    except web.HTTPError as error:
        response = refusal(Refused(error.status, error.reason.lower()))
        if hdrs.ALLOW in error.headers:
            response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return response


def token_of(request: web.Request) -> str | None:
    """The token from `Authorization: Bearer`, `?token=` or the subprotocols `bearer, <jwt>`; None for none."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == BEARER and token:
        return token.strip()
    if "token" in request.query:
        return request.query["token"]
    offered = [name.strip() for name in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")]
    return offered[1] if len(offered) > 1 and offered[0] == BEARER else None


def handshake_of(request: web.Request) -> Handshake:
    """A request as an authoriser sees it."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Handshake(token_of(request), headers, dict(request.query), request.remote or "")


async def read_bytes(request: web.Request) -> bytes:
    """The raw body.

    Raises:
        Refused: 400 if it ends early or is framed wrongly, 408 if it does not arrive, 415 if it is compressed.
        web.HTTPRequestEntityTooLarge: it is larger than a message may be.
    """
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise Refused(415, "send it uncompressed")
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise Refused(408, "the body did not come in time") from None
    except (ConnectionError, web.RequestPayloadError) as error:
        raise Refused(400, "the body is not whole", detail=str(error)) from None


async def read_body(request: web.Request, schema: jsonschema_rs.Validator) -> dict[str, Any]:
    """A JSON body that matches its schema.

    Raises:
        Refused: as `read_bytes`; 415 if it is not declared as JSON; 400 if it is malformed, with its id if that can be
            read.
        web.HTTPRequestEntityTooLarge: it is larger than a message may be.
    """
    if request.content_type != "application/json":
        raise Refused(415, "send application/json", detail=f"content type {request.content_type!r:.80}")
    body = envelope.parse(await read_bytes(request))
    if not isinstance(body, dict):
        raise Refused(400, "the body is not an object")
    if not schema.is_valid(body):
        detail = next((f"{error.message:.200}" for error in schema.iter_errors(body)), "")
        raise Refused(400, "invalid body", detail=detail, request_id=envelope.text_at(body, "requestId"))
    return body


def whole(request: web.Request, name: str, default: int, least: int = 0, most: int = MAX_INTEGER) -> int:
    """A whole number from the query, or `default` without one.

    Raises:
        Refused: 400.
    """
    return whole_number(name, request.query[name], least, most) if name in request.query else default


def whole_number(name: str, text: str, least: int, most: int = MAX_INTEGER) -> int:
    """Plain decimal digits as a number.

    Raises:
        Refused: 400; `int` alone would also take " 1_0 ".
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and least <= int(text) <= most):
        raise Refused(400, f"{name} is not a whole number from {least} to {most}")
    return int(text)


def seconds(request: web.Request, name: str, most_s: float) -> float:
    """A duration from the query in seconds, from 0 to `most_s`; 0 without one.

    Raises:
        Refused: 400.
    """
    try:
        value = float(request.query.get(name, "0"))
    except ValueError:
        value = math.nan
    if not 0 <= value <= most_s:
        raise Refused(400, f"{name} is not a number from 0 to {most_s:g}")
    return value


def answer(body: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def refusal(refused: Refused) -> web.Response:
    """A refusal as an HTTP answer, without its detail."""
    if refused.detail:
        _details.info("refused with %d: %s (%s)", refused.code, refused.message, refused.detail)
    body: dict[str, object] = {"message": refused.message, "code": refused.code}
    if refused.request_id is not None:
        body["requestId"] = refused.request_id
    response = answer(body, refused.code)
    if refused.code in (429, 503):
        response.headers[hdrs.RETRY_AFTER] = str(max(1, math.ceil(refused.retry_s)))
    return response
