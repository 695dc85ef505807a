"""Subscriptions to the messages of a room: long polls and event streams, each with a bounded queue.

A full queue silently drops its oldest messages; the sequence numbers show the reader that something is missing, and the
history has it.
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
    """The messages of one room from now on; `close` it."""

    def __init__(self, owner: "Subscriptions", key: tuple[str, str]) -> None:
        self._owner = owner
        self._key = key
        self._queue: deque[Said] = deque(maxlen=QUEUE)
        self._come = asyncio.Event()

    def put(self, said: Said) -> None:
        """Queue a message."""
        self._queue.append(said)
        self._come.set()

    async def get(self, wait_s: float) -> list[Said]:
        """All queued messages, oldest first; waits up to `wait_s` seconds for the first one; empty if none comes."""
        if not self._queue:
            self._come.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._come.wait()
        come = list(self._queue)
        self._queue.clear()
        return come

    def wake(self) -> None:
        """Wake the reader although there is no message."""
        self._come.set()

    def close(self) -> None:
        """End the subscription."""
        self._owner.remove(self._key, self)


class Subscriptions:
    """All subscriptions of this process, by (tenant, room)."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], set[Subscription]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._all.values()))

    def add(self, tenant: str, room: str) -> Subscription:
        """Add a subscription to a room."""
        subscription = Subscription(self, (tenant, room))
        self._all.setdefault((tenant, room), set()).add(subscription)
        return subscription

    def of(self, tenant: str, room: str) -> Collection[Subscription]:
        """The subscriptions of a room."""
        return self._all.get((tenant, room), ())

    def wake(self) -> None:
        """Wake all readers."""
        for subscriptions in self._all.values():
            for subscription in subscriptions:
                subscription.wake()

    def remove(self, key: tuple[str, str], subscription: Subscription) -> None:
        """Remove a subscription; harmless if it has ended."""
        found = self._all.get(key)
        if found is not None:
            found.discard(subscription)
            if not found:
                del self._all[key]
