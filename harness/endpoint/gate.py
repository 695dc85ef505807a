"""Who may call a REST route, and how often.

Authorisation comes before the bucket, so that calls without a token cannot use up a tenant's allowance.
"""

from aiohttp import web

from .http import handshake_of
from .hub import Hub
from .refusal import Refused
from .tokens import ADMIN, MEMBER, Identity, require

OF_NO_TENANT = ""


class Gate:
    """Checks the caller of every route except the open ones (health, readiness, metrics)."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def member(self, request: web.Request) -> Identity:
        """The calling member; spends a token of the tenant and of the endpoint.

        Raises:
            Refused: 401, 403, 502, 429 when a bucket is empty, 503 when the store is down.
        """
        identity = await self._known(request, MEMBER)
        await self._spend(identity.tenant)
        return identity

    async def operator(self, request: web.Request) -> Identity:
        """The calling operator (role admin); spends a token of the endpoint only, because an operator has no tenant.

        Raises:
            Refused: 401, 403, 502, 429 when the bucket is empty, 503 when the store is down.
        """
        identity = await self._known(request, ADMIN)
        await self._spend(OF_NO_TENANT)
        return identity

    async def _known(self, request: web.Request, role: str) -> Identity:
        return require(await self._hub.policies.authorize(handshake_of(request)), role)

    async def _spend(self, tenant: str) -> None:
        whose, wait_s = await self._hub.buckets.admit(tenant)
        failure = self._hub.ready()
        if whose and failure:  # shared tokens are in the store: without it there are none, and waiting does not help
            raise Refused(503, "not now, try again later", detail=failure)
        if whose:
            self._hub.counters.throttled[whose] += 1
            raise Refused(429, "too many requests", retry_s=wait_s)
