"""The limits that many connections share: one for each tenant, one for the whole endpoint.

It must not know what is limited. The subtle thing: where several processes serve one endpoint, each leases tokens ahead
from one bucket in the store and gives back what it did not spend; leased ones count as not refilled yet, so all
processes together never let through more than the one bucket would.
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
"""How long leased tokens are held before what is left of them goes back."""

Lease = Callable[[int, int, int], Awaitable[int]]
"""Give back so many unspent tokens, hold on to so many, ask for so many new ones; how many were got."""


class Leased:
    """Our process's part of a bucket in the store, of which `processes` together hold half at most."""

    def __init__(self, lease: Lease, burst: int, per_s: float, processes: int) -> None:
        self._lease = lease
        self._chunk = max(1, burst // (2 * processes))
        self.burst = burst
        self.per_s = per_s
        self._tokens = 0
        self._got_s = 0.0
        self._renewing: asyncio.Task[None] | None = None

    def take(self, now_s: float) -> bool:
        """Spend a token that was leased; with few left, or old ones, lease anew meanwhile."""
        has = self._tokens > 0
        if has:
            self._tokens -= 1
        if self._renewing is None and (self._tokens * 2 < self._chunk or now_s > self._got_s + RENEW_S):
            self._begin()
        return has

    def wait_s(self, _now_s: float) -> float:
        """About when a token will have been leased."""
        return 0.0 if self._tokens else max(RENEW_S, 1 / self.per_s)

    async def renew(self) -> None:
        """Lease anew, unless that is under way already; without a store there are no new tokens."""
        await asyncio.shield(self._begin())

    def _begin(self) -> "asyncio.Task[None]":
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        return self._renewing

    async def _renew(self) -> None:
        """Of old tokens half goes back; the rest is spent from meanwhile."""
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
        """Have tokens at hand before a tenant's connection needs the first."""
        for limit in (self.of(tenant), self.endpoint):
            if isinstance(limit, Leased):
                await limit.renew()

    def spend(self, connection: Connection, now_s: float) -> str:
        """Spend a token of each limit that a message counts against; whose was empty, "" for none.

        The narrow ones come first, so that who is over them takes nothing from the others.
        """
        if not connection.bucket.take(now_s):
            return "connection"
        if not self.of(connection.identity.tenant).take(now_s):
            return "tenant"
        return "" if self.endpoint.take(now_s) else "endpoint"

    async def admit(self, tenant: str) -> "tuple[str, float]":
        """Spend a token for a call that is no message: of the tenant's limit ("": of no tenant's) and the endpoint's.

        Whose was empty, "" for none, and after how many seconds it is worth trying again.
        """
        limits = (
            (("tenant", self.of(tenant)), ("endpoint", self.endpoint)) if tenant else (("endpoint", self.endpoint),)
        )
        for whose, limit in limits:
            if not await taken(limit):
                return whose, limit.wait_s(time.monotonic())
        return "", 0.0


async def taken(limit: Limit) -> bool:
    """Spend a token; where none is leased just now, lease before saying no."""
    if limit.take(time.monotonic()):
        return True
    if not isinstance(limit, Leased):
        return False
    await limit.renew()
    return limit.take(time.monotonic())


def shared(hub: "Hub", name: str, per_s: float, burst: int) -> Limit:
    """A limit of all processes together; none where `per_s` is 0.

    They lease half of it at most, so one that was replaced finds tokens before what the dead one held is swept.
    """
    if not per_s:
        return Boundless()
    store = hub.store
    if not store.carries:
        return Bucket(per_s, burst, time.monotonic())

    def lease(left: int, kept: int, wanted: int) -> Awaitable[int]:
        return store.lease(name, per_s, burst, left, kept, wanted)

    return Leased(lease, burst, per_s, hub.processes)
