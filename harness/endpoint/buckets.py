"""The limits that several connections share: one per tenant, one for the whole endpoint.

Subtle: where several processes serve one endpoint, each leases tokens in advance from one bucket in the store and
returns those that it did not spend. A leased token is not refilled until it is returned, so all processes together
never let through more than the one bucket would.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from .connection import Connection
from .state import StoreDown
from .throttle import Boundless, Bucket, Limit

if TYPE_CHECKING:
    from .hub import Hub

RENEW_S = 0.25
"""How long leased tokens are held before unspent ones are returned."""

Lease = Callable[[int, int, int], Awaitable[int]]
"""Returns a number of unspent tokens, keeps a number, asks for a number of new ones; the result is how many came."""


class Leased:
    """Our process's share of a bucket in the store; `processes` together hold at most half of it."""

    def __init__(self, lease: Lease, burst: int, per_s: float, processes: int) -> None:
        self._lease = lease
        self._chunk = max(1, burst // (2 * processes))
        self.burst = burst
        self.per_s = per_s
        self._tokens = 0
        self._got_s = 0.0
        self._renewing: asyncio.Task[None] | None = None

    def take(self, now_s: float) -> bool:
        """Spend a leased token; when few are left, or they are old, lease again in the background."""
        has = self._tokens > 0
        if has:
            self._tokens -= 1
        if self._renewing is None and (self._tokens * 2 < self._chunk or now_s > self._got_s + RENEW_S):
            self._begin()
        return has

    def wait_s(self, _now_s: float) -> float:
        """About how many seconds it takes to lease a token."""
        return 0.0 if self._tokens else max(RENEW_S, 1 / self.per_s)

    async def renew(self) -> None:
        """Lease again, unless that is under way already; without a store there are no new tokens."""
        await asyncio.shield(self._begin())

    def _begin(self) -> "asyncio.Task[None]":
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        return self._renewing

    async def _renew(self) -> None:
        """Return half of the old tokens; the other half can be spent meanwhile."""
        left = self._tokens // 2 if time.monotonic() > self._got_s + RENEW_S else 0
        self._tokens -= left
        try:
            with contextlib.suppress(StoreDown):
                got = await self._lease(left, self._tokens, max(0, self._chunk - self._tokens))
                self._tokens += got
            self._got_s = time.monotonic()
        finally:
            self._renewing = None


class Buckets:
    """The shared limits of one hub."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self.endpoint: Limit = hub.policies.endpoint_bucket(hub)
        self._tenants: dict[str, Limit] = {}

    def of(self, tenant: str) -> Limit:
        """A tenant's limit."""
        found = self._tenants.get(tenant)
        if found is None:
            found = self._tenants[tenant] = self._hub.policies.tenant_bucket(self._hub, tenant)
        return found

    async def prepare(self, tenant: str) -> None:
        """Lease tokens before a tenant's connection needs the first one."""
        for limit in (self.of(tenant), self.endpoint):
            if isinstance(limit, Leased):
                await limit.renew()

    def spend(self, connection: Connection, now_s: float) -> str:
        """Spend a token of each limit that a message counts against.

        The narrow limits come first, so that a client over its own limit takes nothing from the others.

        Returns:
            Whose limit was empty; "" for none.
        """
        if not connection.bucket.take(now_s):
            return "connection"
        if not self.of(connection.identity.tenant).take(now_s):
            return "tenant"
        return "" if self.endpoint.take(now_s) else "endpoint"

    async def admit(self, tenant: str) -> "tuple[str, float]":
        """Spend a token for a call that is not a message, of the tenant's limit ("": no tenant) and the endpoint's.

        Returns:
            Whose limit was empty ("" for none), and after how many seconds it is worth trying again.
        """
        limits = (
            (("tenant", self.of(tenant)), ("endpoint", self.endpoint)) if tenant else (("endpoint", self.endpoint),)
        )
        for whose, limit in limits:
            if not await taken(limit):
                return whose, limit.wait_s(time.monotonic())
        return "", 0.0


async def taken(limit: Limit) -> bool:
    """Spend a token; if none is leased at the moment, lease one before refusing."""
    if limit.take(time.monotonic()):
        return True
    if not isinstance(limit, Leased):
        return False
    await limit.renew()
    return limit.take(time.monotonic())


def shared(hub: "Hub", name: str, per_s: float, burst: int) -> Limit:
    """A limit that all processes share; none if `per_s` is 0.

    They lease at most half of it, so that a restarted process finds tokens before those of the dead one are returned.
    """
    if not per_s:
        return Boundless()
    store = hub.store
    if not store.carries:
        return Bucket(per_s, burst, time.monotonic())

    def lease(left: int, kept: int, wanted: int) -> Awaitable[int]:
        return store.lease(name, per_s, burst, left, kept, wanted)

    return Leased(lease, burst, per_s, hub.processes)
