"""The state in Redis: what makes several processes one endpoint.

It must not know sockets or frames. The subtle thing: one stream carries the events of all rooms to all processes, so
every process hands a room's events on in the order of their numbers; after a broken connection it is read on from
the last entry that was heard, and nothing is missed that the stream still holds.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import msgspec
import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ..errors import UsageError
from . import redis_scripts as scripts
from .ending import end
from .state import Answer, Asked, ConnectionRow, DeadLetter, Event, Heard, Room, StoreDown

log = logging.getLogger("squall.endpoint")

PREFIX = "squall:"
ALIVE_S = 5
"""How long a process counts as alive after its last beat."""
BUS_LENGTH = 100_000
"""About how many events a process may miss while it is away from Redis."""
INBOX_LENGTH = 10_000
ANSWER_S = 2.0
"""How long another process may take to answer."""
TIMEOUT_S = 2.0
BLOCK_MS = 1000
RETRY_S = 0.1
GATHER_S = 0.002
"""After what was heard, so long until the next read: under load one read then brings many events."""

Value = TypeVar("Value")
Position = tuple[int, int]

_pack = msgspec.msgpack.Encoder().encode
_event = msgspec.msgpack.Decoder(Event).decode
_row = msgspec.msgpack.Decoder(ConnectionRow).decode
_letter = msgspec.msgpack.Decoder(DeadLetter).decode
_asked = msgspec.msgpack.Decoder(Asked).decode


class RedisStore:
    """A `Store` for several processes. `process` names this one; `history` is how many events of a room are kept."""

    carries = True

    def __init__(self, url: str, history: int, process: str) -> None:
        """Take the address; nothing is connected yet.

        Raises:
            UsageError: it is no address of a Redis.
        """
        self.failure = ""
        self._history = history
        self._process = process
        try:
            self._redis = connected(url, TIMEOUT_S)
            self._listener = connected(url, TIMEOUT_S + BLOCK_MS / 1000)
        except ValueError as error:
            raise UsageError(f"--store {without_password(url)}: {error}") from None
        self._append = self._redis.register_script(scripts.APPEND)
        self._lease = self._redis.register_script(scripts.LEASE)
        self._sweep = self._redis.register_script(scripts.SWEEP)
        self._exhume = self._redis.register_script(scripts.EXHUME)
        self._bus, self._inbox = f"{PREFIX}bus", f"{PREFIX}inbox:{process}"
        self._rows = f"{PREFIX}connections:{process}"
        self._heard_to: Position = (0, 0)
        self._asked_to: bytes = b"0-0"
        self._settling: list[tuple[Position, asyncio.Future[None]]] = []
        self._answers: dict[str, asyncio.Future[bytes]] = {}
        self._task: asyncio.Task[None] | None = None
        self._beaten = False

    async def open(self, heard: Heard, answer: Answer) -> None:
        """Connect, and begin to listen to what comes from now on.

        Raises:
            StoreDown: Redis cannot be reached.
        """
        self._heard_to = await self._end()
        await self.beat(0)
        self._task = asyncio.create_task(self._listen(heard, answer))

    async def close(self) -> None:
        """Take this process off the list and let go."""
        await end(self._task)
        with contextlib.suppress(StoreDown):
            await self._do(self._redis.delete(f"{PREFIX}process:{self._process}"))
            await self._do(self._sweep(keys=[f"{PREFIX}processes", f"{PREFIX}expiry"], args=[PREFIX, 0]))
        for client in (self._redis, self._listener):
            with contextlib.suppress(RedisError, OSError):
                await client.aclose()

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
        """The connections of the other processes that live."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for process in await self._peers():
                pipe.hvals(f"{PREFIX}connections:{process}")
            found = await self._do(pipe.execute())
        return [_row(row) for rows in found for row in rows]

    async def beat(self, now_ms: int) -> bool:
        """Say that this process lives, sweep what dead ones left; True when this one had been forgotten."""
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
            return await self._ask(holder, asked)
        answers = await self.ask_all(asked)  # its row may not be written yet
        return next(iter(answers.values()), b"")

    async def ask_all(self, asked: Asked) -> dict[str, bytes]:
        """Ask every other process, all at once."""
        peers = await self._peers()
        answers = await asyncio.gather(*(self._ask(peer, asked) for peer in peers))
        return {peer: answered for peer, answered in zip(peers, answers, strict=True) if answered}

    async def _ask(self, holder: str, asked: Asked) -> bytes:
        number = secrets.token_hex(8)
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[number] = answered
        try:
            await self._tell(holder, {"n": number, "from": self._process, "ask": _pack(asked)})
            async with asyncio.timeout(ANSWER_S):
                return await answered
        except TimeoutError:
            return b""
        finally:
            del self._answers[number]

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
        """Number events, keep and announce them, as one step of Redis."""
        arguments: list[Any] = [PREFIX, batch, self._history, BUS_LENGTH]
        for event in events:
            arguments += (event.tenant, event.room, _pack(event))
        return list(await self._do(self._append(keys=[self._bus], args=arguments)))

    async def settle(self) -> None:
        """Wait until what stands in the stream now has been heard."""
        end = await self._end()
        if end > self._heard_to:
            heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._settling.append((end, heard))
            await heard

    async def history(self, tenant: str, room: str, after: int, limit: int) -> list[Event]:
        """The oldest events after a sequence number."""
        if limit < 1:
            return []
        key = f"{PREFIX}history:{room} {tenant}"
        entries = await self._do(self._redis.xrange(key, min=f"{after + 1}-0", max="+", count=limit))
        return [_event(fields[b"e"])._replace(seq=_position(entry)[0]) for entry, fields in entries]

    async def last(self, tenant: str, room: str) -> int:
        """The sequence number of a room's last event."""
        return int(await self._do(self._redis.hget(f"{PREFIX}last:{tenant}", room)) or 0)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep dead letters."""
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
        """Keep what the enrichment found, as long as the event."""
        key = f"{PREFIX}enriched:{event.room} {event.tenant}"
        await self._do(self._redis.hset(key, str(event.seq), found))
        if event.seq > self._history:
            await self._do(self._redis.hdel(key, str(event.seq - self._history)))

    async def enriched(self, tenant: str, room: str, seq: int) -> bytes | None:
        """What the enrichment found."""
        found: bytes | None = await self._do(self._redis.hget(f"{PREFIX}enriched:{room} {tenant}", str(seq)))
        return found

    async def _listen(self, heard: Heard, answer: Answer) -> None:
        """Read the bus and our inbox for ever; what breaks is repaired from where it was left."""
        while True:
            try:
                position = f"{self._heard_to[0]}-{self._heard_to[1]}"
                streams = {self._bus: position, self._inbox: self._asked_to}
                found = await self._listener.xread(streams, count=1000, block=BLOCK_MS)
                self.failure = ""
            except (RedisError, OSError, TimeoutError) as error:
                self._fail(error)
                await asyncio.sleep(RETRY_S)
                continue
            try:
                for name, entries in found:
                    if name == self._bus.encode():
                        await self._hear(entries, heard)
                    else:
                        await self._attend(entries, answer)
            except StoreDown as error:
                log.warning("another process was not answered: %s", error)
            except Exception:
                log.exception("what came by Redis could not be handled")
            if found:
                await asyncio.sleep(GATHER_S)

    async def _hear(self, entries: Sequence[tuple[bytes, dict[bytes, bytes]]], heard: Heard) -> None:
        events = [_event(fields[b"e"])._replace(seq=int(fields[b"s"])) for _, fields in entries]
        try:
            await heard(events)
        finally:
            self._heard_to = _position(entries[-1][0])
            waiting, self._settling = self._settling, []
            for end, future in waiting:
                if end > self._heard_to:
                    self._settling.append((end, future))
                elif not future.done():
                    future.set_result(None)

    async def _attend(self, entries: Sequence[tuple[bytes, dict[bytes, bytes]]], answer: Answer) -> None:
        """Answer what other processes ask, and take their answers."""
        for entry, fields in entries:
            self._asked_to = entry
            number = fields[b"n"].decode()
            if b"ask" in fields:
                told = {"n": number, "answer": answer(_asked(fields[b"ask"]))}
                await self._tell(fields[b"from"].decode(), told)
            elif number in self._answers and not self._answers[number].done():
                self._answers[number].set_result(fields[b"answer"])

    async def _tell(self, process: str, fields: dict[str, Any]) -> None:
        await self._do(self._redis.xadd(f"{PREFIX}inbox:{process}", fields, maxlen=INBOX_LENGTH, approximate=True))

    async def _peers(self) -> list[str]:
        """The other processes that live."""
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

    async def _end(self) -> Position:
        """Where the stream ends now."""
        found = await self._do(self._redis.xrevrange(self._bus, count=1))
        return _position(found[0][0]) if found else (0, 0)

    def _expiring(self, connection_id: str) -> str:
        return f"{self._process} {connection_id}"

    async def _do(self, command: Awaitable[Value]) -> Value:
        """Await a command.

        Raises:
            StoreDown: Redis is away or refuses it.
        """
        try:
            value = await command
        except (RedisError, OSError, TimeoutError) as error:
            self._fail(error)
            raise StoreDown(self.failure) from None
        return value

    def _fail(self, error: Exception) -> None:
        self.failure = f"Redis: {error or type(error).__name__}"
        for _, future in self._settling:
            if not future.done():
                future.set_exception(StoreDown(self.failure))
        self._settling.clear()


def connected(url: str, timeout_s: float) -> Any:
    """A client of a Redis (of no type: its stubs do not tell waiting calls from plain ones)."""
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=TIMEOUT_S, protocol=2)


def is_redis(store: str) -> bool:
    """Whether a store's name is a Redis address.

    >>> is_redis("redis://127.0.0.1:6379/0"), is_redis("rediss://h"), is_redis("redis.db")
    (True, True, False)
    """
    return store.startswith(("redis://", "rediss://", "unix://"))


def reach(url: str) -> None:
    """Look whether a Redis answers.

    Raises:
        UsageError: it does not; the text holds no password.
    """
    try:
        with redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S) as client:
            client.ping()
    except (RedisError, OSError, ValueError) as error:
        raise UsageError(f"cannot use the store {without_password(url)}: {error}") from None


def without_password(url: str) -> str:
    """An address that may be shown.

    >>> without_password("redis://ann:secret@127.0.0.1:6379/1")
    'redis://127.0.0.1:6379/1'
    """
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _position(entry: bytes) -> Position:
    """A stream's entry id as two numbers that compare.

    >>> _position(b"12-3") < _position(b"12-10")
    True
    """
    milliseconds, _, number = entry.partition(b"-")
    return int(milliseconds), int(number)
