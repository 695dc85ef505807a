"""Who else wants to hear what is said in a room: long polls and event streams, each with a bounded queue.

It must not know HTTP. The subtle thing: a queue that is full drops its oldest, silently; the sequence numbers tell the
reader that something is missing, and history has it.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Collection
from typing import NamedTuple

QUEUE = 1000


class Said(NamedTuple):
    """One message of a room: its sequence number and its frame as JSON text."""

    seq: int
    frame: bytes


class Subscription:
    """What is said in one room from now on; `close` it."""

    def __init__(self, owner: "Subscriptions", key: tuple[str, str]) -> None:
        self._owner = owner
        self._key = key
        self._queue: deque[Said] = deque(maxlen=QUEUE)
        self._come = asyncio.Event()

    def put(self, said: Said) -> None:
        """Something was said."""
        self._queue.append(said)
        self._come.set()

    async def get(self, wait_s: float) -> list[Said]:
        """Everything that has come, oldest first; waits up to `wait_s` seconds for a first one, else empty."""
        if not self._queue:
            self._come.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._come.wait()
        come = list(self._queue)
        self._queue.clear()
        return come

    def wake(self) -> None:
        """Have who waits look up, though nothing was said."""
        self._come.set()

    def close(self) -> None:
        """Hear no more."""
        self._owner.remove(self._key, self)


class Subscriptions:
    """All subscriptions of this process, by (tenant, room)."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], set[Subscription]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._all.values()))

    def add(self, tenant: str, room: str) -> Subscription:
        """A new one."""
        subscription = Subscription(self, (tenant, room))
        self._all.setdefault((tenant, room), set()).add(subscription)
        return subscription

    def of(self, tenant: str, room: str) -> Collection[Subscription]:
        """Those of a room."""
        return self._all.get((tenant, room), ())

    def wake(self) -> None:
        """Have everybody look up."""
        for subscriptions in self._all.values():
            for subscription in subscriptions:
                subscription.wake()

    def remove(self, key: tuple[str, str], subscription: Subscription) -> None:
        """End one; harmless when it has ended."""
        found = self._all.get(key)
        if found is not None:
            found.discard(subscription)
            if not found:
                del self._all[key]
