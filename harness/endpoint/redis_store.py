"""The state in Redis, which makes several processes one endpoint: connections, rooms, history, dead letters, buckets.

What the processes tell each other goes by the bus (`redis_bus.py`); an event is numbered, kept and put on the bus by
one script, in one step of Redis (`redis_scripts.py`).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec

from . import redis_scripts as scripts
from .redis_bus import BUS, BUS_LENGTH, RedisBus, position
from .redis_client import PREFIX, RedisClient
from .state import Answer, Asked, ConnectionRow, DeadLetter, Event, Heard, Room, StoreDown

ALIVE_S = 5
"""How long a process counts as alive after its last beat."""

_pack = msgspec.msgpack.Encoder().encode
_event = msgspec.msgpack.Decoder(Event).decode
_row = msgspec.msgpack.Decoder(ConnectionRow).decode
_letter = msgspec.msgpack.Decoder(DeadLetter).decode


class RedisStore:
    """A `Store` for several processes. `process` names this one; `history` is how many events of a room are kept."""

    carries = True

    def __init__(self, url: str, history: int, process: str) -> None:
        """Take the address; nothing is connected yet.

        Raises:
            UsageError: the address is not one of a Redis.
        """
        self._client = RedisClient(url)
        self._redis, self._do = self._client.commands, self._client.do
        self._bus = RedisBus(self._client, process)
        self._history = history
        self._process = process
        self._append = self._redis.register_script(scripts.APPEND)
        self._lease = self._redis.register_script(scripts.LEASE)
        self._sweep = self._redis.register_script(scripts.SWEEP)
        self._exhume = self._redis.register_script(scripts.EXHUME)
        self._rows = f"{PREFIX}connections:{process}"
        self._beaten = False

    @property
    def failure(self) -> str:
        """Why Redis does not work now; empty while it does."""
        return self._client.failure

    async def open(self, heard: Heard, answer: Answer) -> None:
        """Connect, and begin to listen to what comes from now on.

        Raises:
            StoreDown: Redis cannot be reached.
        """
        await self._bus.start_here()
        await self.beat(0)
        self._bus.listen(heard, answer)

    async def close(self) -> None:
        """Remove this process from the list and disconnect."""
        await self._bus.stop()
        with contextlib.suppress(StoreDown):
            await self._do(self._redis.delete(f"{PREFIX}process:{self._process}"))
            await self._do(self._sweep(keys=[f"{PREFIX}processes", f"{PREFIX}expiry"], args=[PREFIX, 0]))
        await self._client.close()

    async def put(self, rows: Sequence[ConnectionRow]) -> None:
        """Insert or replace connections."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(self._rows, mapping={row.connection_id: _pack(row) for row in rows})
            pipe.zadd(f"{PREFIX}expiry", {self._expiring(row.connection_id): row.expires_ms for row in rows})
            await self._do(pipe.execute())

    async def drop(self, connection_ids: Sequence[str]) -> None:
        """Forget connections."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel(self._rows, *connection_ids)
            pipe.zrem(f"{PREFIX}expiry", *map(self._expiring, connection_ids))
            await self._do(pipe.execute())

    async def others(self) -> list[ConnectionRow]:
        """The connections of the other live processes."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for process in await self._peers():
                pipe.hvals(f"{PREFIX}connections:{process}")
            found = await self._do(pipe.execute())
        return [_row(row) for rows in found for row in rows]

    async def beat(self, now_ms: int) -> bool:
        """Mark this process as alive, delete what dead ones left; True if this one had been forgotten."""
        key = f"{PREFIX}process:{self._process}"
        known = await self._do(self._redis.set(key, "1", ex=ALIVE_S, get=True))
        await self._do(self._redis.sadd(f"{PREFIX}processes", self._process))
        await self._do(self._sweep(keys=[f"{PREFIX}processes", f"{PREFIX}expiry"], args=[PREFIX, now_ms]))
        forgotten, self._beaten = self._beaten and known is None, True
        return forgotten

    async def lease(self, name: str, per_s: float, burst: int, left: int, kept: int, wanted: int) -> int:
        """Exchange tokens of a bucket that all processes share."""
        key = f"{PREFIX}bucket:{name}"
        await self._do(self._redis.sadd(f"{PREFIX}buckets", key))
        arguments = [self._process, per_s, burst, left, kept, wanted]
        return int(await self._do(self._lease(keys=[key], args=arguments)))

    async def ask(self, asked: Asked) -> bytes:
        """Ask the process that holds a connection."""
        peers = await self._peers()
        async with self._redis.pipeline(transaction=False) as pipe:
            for process in peers:
                pipe.hexists(f"{PREFIX}connections:{process}", asked.connection_id)
            holds = await self._do(pipe.execute())
        holder = next((process for process, held in zip(peers, holds, strict=True) if held), None)
        if holder is not None:
            return await self._bus.ask(holder, asked)
        answers = await self.ask_all(asked)  # its row may not be written yet
        return next(iter(answers.values()), b"")

    async def ask_all(self, asked: Asked) -> dict[str, bytes]:
        """Ask every other process, all at once."""
        peers = await self._peers()
        answers = await asyncio.gather(*(self._bus.ask(peer, asked) for peer in peers))
        return {peer: answered for peer, answered in zip(peers, answers, strict=True) if answered}

    async def create_room(self, tenant: str, room: str, owner: str) -> bool:
        """Make a room."""
        made = await self._do(self._redis.zadd(f"{PREFIX}rooms:{tenant}", {room: 0}, nx=True))
        if made and owner:
            await self._do(self._redis.hset(f"{PREFIX}owners:{tenant}", room, owner))
        return bool(made)

    async def room(self, tenant: str, room: str) -> Room | None:
        """A room."""
        if await self._do(self._redis.zscore(f"{PREFIX}rooms:{tenant}", room)) is None:
            return None
        return (await self._described(tenant, [room.encode()]))[0]

    async def rooms(self, tenant: str, after: str, limit: int) -> list[Room]:
        """A tenant's rooms by name."""
        least = f"({after}" if after else "-"
        names = await self._do(self._redis.zrangebylex(f"{PREFIX}rooms:{tenant}", least, "+", start=0, num=limit))
        return await self._described(tenant, names)

    async def append(self, events: Sequence[Event], batch: str) -> list[int]:
        """Number events, store and announce them, in one step of Redis."""
        arguments: list[Any] = [PREFIX, batch, self._history, BUS_LENGTH]
        for event in events:
            arguments += (event.tenant, event.room, _pack(event))
        return list(await self._do(self._append(keys=[BUS], args=arguments)))

    async def settle(self) -> None:
        """Wait until everything that is on the bus now has been heard."""
        await self._bus.settle()

    async def history(self, tenant: str, room: str, after: int, limit: int) -> list[Event]:
        """The oldest events after a sequence number."""
        if limit < 1:
            return []
        key = f"{PREFIX}history:{room} {tenant}"
        entries = await self._do(self._redis.xrange(key, min=f"{after + 1}-0", max="+", count=limit))
        return [_event(fields[b"e"])._replace(seq=position(entry)[0]) for entry, fields in entries]

    async def last(self, tenant: str, room: str) -> int:
        """The sequence number of a room's last event."""
        return int(await self._do(self._redis.hget(f"{PREFIX}last:{tenant}", room)) or 0)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters."""
        last = await self._do(self._redis.incrby(f"{PREFIX}letter", len(letters)))
        numbered = [each._replace(id=last - len(letters) + 1 + at) for at, each in enumerate(letters)]
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(f"{PREFIX}letters", mapping={str(each.id): _pack(each) for each in numbered})
            pipe.zadd(f"{PREFIX}letters:order", {str(each.id): each.id for each in numbered})
            await self._do(pipe.execute())

    async def dead_letters(self, after: int, limit: int) -> list[DeadLetter]:
        """The oldest dead letters after an id."""
        ids = await self._do(
            self._redis.zrangebyscore(f"{PREFIX}letters:order", f"({after}", "+inf", start=0, num=limit)
        )
        found = await self._do(self._redis.hmget(f"{PREFIX}letters", ids)) if ids else []
        return [_letter(letter) for letter in found if letter is not None]

    async def exhume(self, id: int) -> DeadLetter | None:
        """Take a dead letter out."""
        keys = [f"{PREFIX}letters", f"{PREFIX}letters:order"]
        letter = await self._do(self._exhume(keys=keys, args=[id]))
        return _letter(letter) if letter is not None else None

    async def enrich(self, event: Event, found: bytes) -> None:
        """Store what the enrichment found, for as long as the event."""
        key = f"{PREFIX}enriched:{event.room} {event.tenant}"
        await self._do(self._redis.hset(key, str(event.seq), found))
        if event.seq > self._history:
            await self._do(self._redis.hdel(key, str(event.seq - self._history)))

    async def enriched(self, tenant: str, room: str, seq: int) -> bytes | None:
        """What the enrichment found."""
        found: bytes | None = await self._do(self._redis.hget(f"{PREFIX}enriched:{room} {tenant}", str(seq)))
        return found

    async def _peers(self) -> list[str]:
        """The other live processes."""
        names = [name.decode() for name in await self._do(self._redis.smembers(f"{PREFIX}processes"))]
        names = sorted(name for name in names if name != self._process)
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.exists(f"{PREFIX}process:{name}")
            alive = await self._do(pipe.execute())
        return [name for name, lives in zip(names, alive, strict=True) if lives]

    async def _described(self, tenant: str, names: Sequence[bytes]) -> list[Room]:
        if not names:
            return []
        owners = await self._do(self._redis.hmget(f"{PREFIX}owners:{tenant}", names))
        lasts = await self._do(self._redis.hmget(f"{PREFIX}last:{tenant}", names))
        return [
            Room(name.decode(), (owner or b"").decode(), int(last or 0))
            for name, owner, last in zip(names, owners, lasts, strict=True)
        ]

    def _expiring(self, connection_id: str) -> str:
        return f"{self._process} {connection_id}"
