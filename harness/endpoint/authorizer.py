"""Who may connect: from a handshake's credentials to an identity, by JWT or by a function of the user's own.

The client learns only the kind of the failure. A function that fails or hangs is the endpoint's fault (502), never the
client's (401, 403).
"""

import asyncio
import importlib
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from ..errors import UsageError
from .refusal import Refused
from .tokens import Identity, identity_of

log = logging.getLogger("squall.endpoint")

TIMEOUT_S = 10.0
"""How long a custom authoriser may take; a gateway's Lambda authoriser has 10 s."""


class Handshake(NamedTuple):
    """What an authoriser sees: the token wherever it was, headers (names in lower case), query, remote address."""

    token: str | None
    headers: Mapping[str, str]
    query: Mapping[str, str]
    address: str


Authorize = Callable[[Handshake], Awaitable[Identity]]


def by_token(identify: Callable[[str | None], Identity]) -> Authorize:
    """The authoriser that checks the token only."""

    async def authorize(handshake: Handshake) -> Identity:
        return identify(handshake.token)

    return authorize


def custom(spec: str, timeout_s: float = TIMEOUT_S) -> Authorize:
    """The authoriser `module:function`: a function, async or not, from a Handshake to claims.

    The claims are those of a token (`sub`, `tenant`, `roles`, `features`); None, or PermissionError, denies (403). It
    is called only when there is a token (else 401).

    Raises:
        UsageError: there is no such function.
    """
    function = load(spec, "--authorizer")

    async def authorize(handshake: Handshake) -> Identity:
        if not handshake.token:
            raise Refused(401, "a token is required")
        try:
            async with asyncio.timeout(timeout_s):
                claims = await called(function, handshake)
        except PermissionError as error:
            raise Refused(403, "denied", detail=str(error)) from None
        except Exception as error:  # whatever the user's function does wrong
            log.error("the authoriser %s failed: %r", spec, error)
            raise Refused(502, "the authoriser failed") from error
        if claims is None:
            raise Refused(403, "denied")
        try:
            return identity_of(claims)
        except Refused as refused:
            raise Refused(502, "the authoriser failed", detail=refused.detail) from None

    return authorize


async def called(function: Callable[..., Any], *arguments: object) -> Any:
    """Await the function's result; a plain function runs in a thread, because it may block."""
    if inspect.iscoroutinefunction(function):
        return await function(*arguments)
    return await asyncio.to_thread(function, *arguments)


def load(spec: str, option: str) -> Callable[..., Any]:
    """The function that `module:function` names.

    Raises:
        UsageError: there is no such function.
    """
    module, _, name = spec.partition(":")
    try:
        function = getattr(importlib.import_module(module), name) if module and name else None
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"{option} {spec}: {error}") from None
    except Exception as error:
        raise UsageError(f"{option} {spec}: its module fails: {error!r}") from error
    if not callable(function):
        raise UsageError(f"{option} {spec}: give module:function")
    return function  # type: ignore[no-any-return]
