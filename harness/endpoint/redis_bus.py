"""The bus between the processes of one endpoint: events that all of them hear, and questions that one asks another.

One stream carries the events of all rooms to all processes, so every process delivers a room's events in the order of
their numbers. After a broken connection the stream is read on from the last entry that was heard: nothing is missed
that it still holds. Questions and answers go through one inbox per process.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from .ending import end
from .redis_client import BLOCK_MS, FAILURES, PREFIX, RedisClient
from .state import Answer, Asked, Event, Heard, StoreDown

log = logging.getLogger("squall.endpoint")

BUS = f"{PREFIX}bus"
BUS_LENGTH = 100_000
"""About how many events a process may miss while it cannot reach Redis."""
INBOX_LENGTH = 10_000
ANSWER_S = 2.0
"""How long another process may take to answer."""
RETRY_S = 0.1
GATHER_S = 0.002
"""The pause after a read that brought something: under load one read then brings many events."""

Position = tuple[int, int]
Entries = Sequence[tuple[bytes, dict[bytes, bytes]]]

_pack = msgspec.msgpack.Encoder().encode
_event = msgspec.msgpack.Decoder(Event).decode
_asked = msgspec.msgpack.Decoder(Asked).decode


class RedisBus:
    """The bus as one process, `process`, hears it."""

    def __init__(self, client: RedisClient, process: str) -> None:
        self._client = client
        self._process = process
        self._inbox = f"{PREFIX}inbox:{process}"
        self._heard_to: Position = (0, 0)
        self._asked_to: bytes = b"0-0"
        self._settling: list[tuple[Position, asyncio.Future[None]]] = []
        self._answers: dict[str, asyncio.Future[bytes]] = {}
        self._task: asyncio.Task[None] | None = None
        client.on_failure = self._fail

    async def start_here(self) -> None:
        """Hear only what comes from now on.

        Raises:
            StoreDown: Redis cannot be reached.
        """
        self._heard_to = await self._end()

    def listen(self, heard: Heard, answer: Answer) -> None:
        """Begin to listen: `heard` gets the events, `answer` the questions of other processes."""
        self._task = asyncio.create_task(self._listen(heard, answer))

    async def stop(self) -> None:
        """Stop listening."""
        await end(self._task)

    async def settle(self) -> None:
        """Wait until everything that is on the bus now has been heard."""
        end = await self._end()
        if end > self._heard_to:
            heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._settling.append((end, heard))
            await heard

    async def ask(self, process: str, asked: Asked) -> bytes:
        """Ask another process; empty when it did not answer in time."""
        number = secrets.token_hex(8)
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[number] = answered
        try:
            await self._post(process, {"n": number, "from": self._process, "ask": _pack(asked)})
            async with asyncio.timeout(ANSWER_S):
                return await answered
        except TimeoutError:
            return b""
        finally:
            del self._answers[number]

    async def _listen(self, heard: Heard, answer: Answer) -> None:
        """Read the bus and our inbox until cancelled; after a failure, continue where we were."""
        while True:
            try:
                position = f"{self._heard_to[0]}-{self._heard_to[1]}"
                streams = {BUS: position, self._inbox: self._asked_to}
                found = await self._client.reader.xread(streams, count=1000, block=BLOCK_MS)
                self._client.failure = ""
            except FAILURES as error:
                self._client.fail(error)
                await asyncio.sleep(RETRY_S)
                continue
            try:
                for name, entries in found:
                    if name == BUS.encode():
                        await self._hear(entries, heard)
                    else:
                        await self._attend(entries, answer)
            except StoreDown as error:
                log.warning("another process was not answered: %s", error)
            except Exception:
                log.exception("entries from Redis could not be handled")
            if found:
                await asyncio.sleep(GATHER_S)

    async def _hear(self, entries: Entries, heard: Heard) -> None:
        events = [_event(fields[b"e"])._replace(seq=int(fields[b"s"])) for _, fields in entries]
        try:
            await heard(events)
        finally:
            self._heard_to = position(entries[-1][0])
            waiting, self._settling = self._settling, []
            for end, future in waiting:
                if end > self._heard_to:
                    self._settling.append((end, future))
                elif not future.done():
                    future.set_result(None)

    async def _attend(self, entries: Entries, answer: Answer) -> None:
        """Answer the questions of other processes, and take their answers."""
        for entry, fields in entries:
            self._asked_to = entry
            number = fields[b"n"].decode()
            if b"ask" in fields:
                reply = {"n": number, "answer": answer(_asked(fields[b"ask"]))}
                await self._post(fields[b"from"].decode(), reply)
            elif number in self._answers and not self._answers[number].done():
                self._answers[number].set_result(fields[b"answer"])

    async def _post(self, process: str, fields: dict[str, Any]) -> None:
        """Put an entry into a process's inbox."""
        inbox = f"{PREFIX}inbox:{process}"
        await self._client.do(self._client.commands.xadd(inbox, fields, maxlen=INBOX_LENGTH, approximate=True))

    async def _end(self) -> Position:
        """Where the bus ends now."""
        found = await self._client.do(self._client.commands.xrevrange(BUS, count=1))
        return position(found[0][0]) if found else (0, 0)

    def _fail(self, failure: str) -> None:
        """Let nobody wait for a bus that does not work."""
        for _, future in self._settling:
            if not future.done():
                future.set_exception(StoreDown(failure))
        self._settling.clear()


def position(entry: bytes) -> Position:
    """A stream's entry id as two numbers that can be compared.

    >>> position(b"12-3") < position(b"12-10")
    True
    """
    milliseconds, _, number = entry.partition(b"-")
    return int(milliseconds), int(number)
