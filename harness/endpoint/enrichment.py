"""The hook off the live path: a user's function that gets every message after it was delivered.

Nothing waits for it. What does not fit its queue is skipped and counted; an event on which it fails becomes a dead
letter, marked so that a replay enriches it without sending it again.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import msgspec

from .authorizer import called, load
from .ending import end
from .state import DeadLetter, Event, StoreDown

if TYPE_CHECKING:
    from .hub import Hub

log = logging.getLogger("squall.endpoint")

QUEUE = 1000
TIMEOUT_S = 10.0


class Enrichment:
    """Calls `module:function` with an `Event` and stores the result (None: nothing) with the event, as JSON.

    An empty spec enriches nothing.
    """

    def __init__(self, hub: "Hub", spec: str) -> None:
        """Load the function.

        Raises:
            UsageError: there is no such function.
        """
        self._hub = hub
        self._spec = spec
        self._function = load(spec, "--enricher") if spec else None
        self._queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE)
        self._task: asyncio.Task[None] | None = None
        self.left_out = 0

    def start(self) -> None:
        """Start the worker."""
        if self._function is not None:
            self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop, whatever is still queued."""
        await end(self._task)

    def offer(self, event: Event) -> None:
        """Queue a delivered event."""
        if self._function is None:
            return
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self.left_out += 1
            if self.left_out == 1:
                log.warning("the enrichment %s is too slow: messages are left out", self._spec)

    async def _work(self) -> None:
        while True:
            event = await self._queue.get()
            try:
                await self._enrich(event)
            except StoreDown as error:
                await self._bury(event, str(error))
            except Exception as error:  # noqa: BLE001 - whatever the user's function does wrong
                log.warning("the enrichment %s failed: %r", self._spec, error)
                await self._bury(event, f"enrichment: {type(error).__name__}")

    async def _enrich(self, event: Event) -> None:
        assert self._function is not None
        async with asyncio.timeout(TIMEOUT_S):
            found = await called(self._function, event)
        if found is not None:
            await self._hub.store.enrich(event, msgspec.json.encode(found))

    async def _bury(self, event: Event, reason: str) -> None:
        letter = DeadLetter(0, event, reason, 1, time.time_ns() // 1_000_000, enriching=True)
        await self._hub.pipeline.bury([letter])
