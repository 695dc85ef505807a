"""What is said in one room after a sequence number: what was missed, then what comes; each message once, in order.

It must not know HTTP; long polls and event streams both read it. The subtle thing: the subscription is taken before
history is read and may overflow, so nothing rests on it being complete; the sequence numbers tell what to skip and
when to go back to history.
"""

import time
from typing import Self

from .hub import Hub
from .subscription import Said

PAGE = 500


class Follower:
    """Reads one room forward from `after`, as a context that ends its subscription."""

    def __init__(self, hub: Hub, tenant: str, room: str, after: int) -> None:
        self._hub = hub
        self._key = tenant, room
        self._after = after
        self._live = hub.subscribe(tenant, room)
        self._behind = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._live.close()

    async def next(self, wait_s: float) -> list[Said]:
        """The next messages; waits up to `wait_s` seconds when there is none yet, and is empty after that."""
        if self._behind:
            page = await self._hub.history(*self._key, self._after, PAGE)
            if page:
                self._after = page[-1].seq
                return page
            self._behind = False
        heard = await self._new(wait_s)
        if heard and heard[-1].seq - self._after > len(heard):
            heard = await self._mended(heard)
        if heard:
            self._after = heard[-1].seq
        return heard

    async def _new(self, wait_s: float) -> list[Said]:
        """What the subscription has that was not read before; what history had already ends no wait."""
        end_s = time.monotonic() + wait_s
        while True:
            come = await self._live.get(wait_s)
            heard = [said for said in come if said.seq > self._after]
            if heard or not come:
                return heard
            wait_s = max(0.0, end_s - time.monotonic())

    async def _mended(self, heard: list[Said]) -> list[Said]:
        """What was heard with what was dropped between, from history."""
        page = await self._hub.history(*self._key, self._after, PAGE)
        if len(page) == PAGE:
            self._behind = True
            return page
        last = page[-1].seq if page else self._after
        return page + [said for said in heard if said.seq > last]
