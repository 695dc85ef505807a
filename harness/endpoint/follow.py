"""The messages of one room after a sequence number: those that were missed, then new ones, each once and in order.

Long polls and event streams both read it. Subtle: the subscription begins before the history is read and may overflow,
so it is never assumed to be complete; the sequence numbers show what to skip and when to read the history again.
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
        """The next messages; waits up to `wait_s` seconds for the first one, and is empty if none comes."""
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
        """The subscription's messages that were not read before; the wait goes on if the history had them all."""
        end_s = time.monotonic() + wait_s
        while True:
            come = await self._live.get(wait_s)
            heard = [said for said in come if said.seq > self._after]
            if heard or not come:
                return heard
            wait_s = max(0.0, end_s - time.monotonic())

    async def _mended(self, heard: list[Said]) -> list[Said]:
        """The messages heard, with those that were dropped in between, from the history."""
        page = await self._hub.history(*self._key, self._after, PAGE)
        if len(page) == PAGE:
            self._behind = True
            return page
        last = page[-1].seq if page else self._after
        return page + [said for said in heard if said.seq > last]
