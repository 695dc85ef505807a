"""The path of an accepted event: a queue chosen by its room, a worker that stores it, the acknowledgement, the fan-out.

An event is acknowledged in the same step in which it is delivered, so a client that has seen the acknowledgement knows
that everybody who was in the room then gets the message. One room has one queue, so its events stay in order through
every retry.
"""

import asyncio
import contextlib
import logging
import random
import secrets
import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .ending import end
from .state import DeadLetter, Event, StoreDown

if TYPE_CHECKING:
    from .hub import Hub

log = logging.getLogger("squall.endpoint")

BATCH = 256
BACKOFF_S = (0.05, 0.2, 0.8)
"""The wait before each retry; after the last one the event becomes a dead letter."""
MAX_UNBURIED = 10_000
"""How many dead letters are kept in memory while the store is down."""


class Job(NamedTuple):
    """An accepted event. `done` is called once: with the event and its place in the room, or None if it is given up."""

    event: Event
    done: Callable[[Event | None], None]
    began_s: float


class Pipeline:
    """Queues sharded by room, one worker each. `capacity` bounds each queue."""

    def __init__(self, hub: "Hub", shards: int, capacity: int) -> None:
        self._hub = hub
        self._queues: list[asyncio.Queue[Job]] = [asyncio.Queue(capacity) for _ in range(shards)]
        self._tasks: list[asyncio.Task[None]] = []
        self._unburied: deque[DeadLetter] = deque(maxlen=MAX_UNBURIED)

    def start(self) -> None:
        """Start the workers."""
        self._tasks = [asyncio.create_task(self._work(queue)) for queue in self._queues]

    async def stop(self) -> None:
        """Let the workers finish what is queued, for at most one second, then stop them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                for queue in self._queues:
                    await queue.join()
        await end(*self._tasks)
        with contextlib.suppress(StoreDown):
            await self.bury_waiting()

    def submit(self, event: Event, done: Callable[[Event | None], None]) -> bool:
        """Queue an event; False if its queue is full, and then `done` is never called."""
        policies = self._hub.policies
        job = Job(event, done, time.monotonic())
        try:
            self._queues[policies.shard(event, len(self._queues))].put_nowait(job)
        except asyncio.QueueFull:
            return False
        policies.queued(job)
        return True

    def depth(self) -> dict[int, int]:
        """How many events wait in each queue."""
        return {number: queue.qsize() for number, queue in enumerate(self._queues)}

    async def bury_waiting(self) -> None:
        """Store the dead letters that the store did not take before.

        Raises:
            StoreDown: it still does not take them; they stay in memory.
        """
        while self._unburied:
            # Taken out before waiting for the store: several workers may do this at once, each with its own letters.
            letters = [self._unburied.popleft() for _ in range(min(BATCH, len(self._unburied)))]
            try:
                await self._hub.policies.bury(self._hub.store, letters)
            except BaseException:
                self._unburied.extendleft(reversed(letters))
                raise

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters; keep them in memory until the store takes them."""
        self._unburied.extend(letters)
        with contextlib.suppress(StoreDown):
            await self.bury_waiting()

    async def _work(self, queue: asyncio.Queue[Job]) -> None:
        while True:
            jobs = [await queue.get()]
            while len(jobs) < BATCH and not queue.empty():
                jobs.append(queue.get_nowait())
            try:
                await self._process(jobs)
            except Exception:
                log.exception("a batch of %d events failed", len(jobs))
            for _ in jobs:
                queue.task_done()

    async def _process(self, jobs: Sequence[Job]) -> None:
        seqs, reason = await self._kept([job.event for job in jobs])
        if seqs is None and len(jobs) > 1:  # one bad event must not take the others with it
            for job in jobs:
                await self._process([job])
            return
        if seqs is None:
            (job,) = jobs
            log.warning("an event of room %s was given up: %s", job.event.room, reason)
            await self.bury([DeadLetter(0, job.event, reason, len(BACKOFF_S) + 1, time.time_ns() // 1_000_000)])
            job.done(None)
            return
        policies, store, counters = self._hub.policies, self._hub.store, self._hub.counters
        for job, seq in zip(jobs, seqs, strict=True):
            event = job.event._replace(seq=seq)
            now_s = time.monotonic()
            counters.accepted += 1
            counters.accept.add(now_s - job.began_s)
            policies.acknowledge(job, event)
            if not store.carries:
                await self._hub.hand_on(event)
            self._hub.enrichment.offer(event)

    async def _kept(self, events: Sequence[Event]) -> tuple[list[int] | None, str]:
        """The events' places, or None and the reason after all retries."""
        batch, reason = secrets.token_hex(8), ""
        for wait_s in (0.0, *BACKOFF_S):
            if wait_s:
                await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
            try:
                return await self._hub.policies.persist(self._hub.store, events, batch), ""
            except StoreDown as error:
                reason = str(error)
        return None, reason


def shard_of(event: Event, shards: int) -> int:
    """The queue of an event's room: always the same one."""
    return zlib.crc32(f"{event.tenant}\0{event.room}".encode()) % shards


def acknowledge(job: Job, event: Event) -> None:
    """Pass the event to the request that waits for it."""
    job.done(event)
