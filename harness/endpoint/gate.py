"""Who may call a REST route, and how often.

It must not know what the route does. The subtle thing: the right is looked at before a bucket is touched, so calls
without a token cannot use up what a tenant may spend.
"""

from aiohttp import web

from .http import token_of
from .hub import Hub
from .tokens import ADMIN, MEMBER, Identity, require


class Gate:
    """Stands before every route but the open ones (health, readiness, metrics)."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def member(self, request: web.Request) -> Identity:
        """Who calls, if a member does.

        Raises:
            Refused: 401, 403, or 429 when a bucket is empty.
        """
        return await self._admitted(request, MEMBER)

    async def operator(self, request: web.Request) -> Identity:
        """Who calls, if an operator does (the role admin).

        Raises:
            Refused: 401, 403, or 429 when a bucket is empty.
        """
        return await self._admitted(request, ADMIN)

    async def _admitted(self, request: web.Request, role: str) -> Identity:
        return require(self._hub.parts.identify(token_of(request)), role)
