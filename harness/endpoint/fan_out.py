"""One message to many: encoded once, written to every member's transport, in slices if the room is giant.

The recipients are fixed when the message is handed over, not when their slice is written. While a room still has slices
to write, its next messages queue behind them: order is kept, and other rooms go first.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from . import envelope
from .connection import Connection
from .counters import Counters
from .state import Event
from .subscription import Said

if TYPE_CHECKING:
    from .hub import Hub

SLICE = 500
"""How many members are written to before other rooms get their turn."""

Key = tuple[str, str]
Deliver = Callable[[Connection, bytes], None]
Waiting = deque[tuple[bytes, Sequence[Connection], float]]


class FanOut:
    """Writes messages to members. `deliver` is called for each copy."""

    def __init__(self, counters: Counters, deliver: Deliver, size: int = SLICE) -> None:
        self._counters = counters
        self._deliver = deliver
        self._size = size
        self._giants: dict[Key, Waiting] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def out(self, key: Key, frame: bytes, members: Sequence[Connection]) -> None:
        """Write a wire frame to the members of a room; never waits, except to give others a turn in a giant room."""
        waiting = self._giants.get(key)
        if waiting is None and len(members) <= self._size:
            began_s = time.monotonic()
            self._write(frame, members)
            self._counters.deliver.add(time.monotonic() - began_s)
            return
        job = (frame, members, time.monotonic())
        if waiting is not None:
            waiting.append(job)
            return
        self._giants[key] = deque([job])
        task = asyncio.create_task(self._slices(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _slices(self, key: Key) -> None:
        waiting = self._giants[key]
        while waiting:
            frame, members, began_s = waiting.popleft()
            for start in range(0, len(members), self._size):
                self._write(frame, members[start : start + self._size])
                await asyncio.sleep(0)
            self._counters.deliver.add(time.monotonic() - began_s)
        del self._giants[key]

    def _write(self, frame: bytes, members: Sequence[Connection]) -> None:
        deliver = self._deliver
        for member in members:
            deliver(member, frame)
        self._counters.fan_out += len(members)


async def hand_on(hub: "Hub", event: Event) -> None:
    """Encode an event once and deliver it to its recipients and subscribers."""
    policies = hub.policies
    members = tuple(policies.recipients(hub, event))
    subscriptions = hub.subscriptions.of(event.tenant, event.room)
    if not members and not subscriptions:
        return
    frame = policies.encode(policies.message(event))
    for subscription in tuple(subscriptions):
        subscription.put(Said(event.seq, frame))
    if members:
        await hub.fan_out.out((event.tenant, event.room), envelope.wire(envelope.TEXT, frame), members)
