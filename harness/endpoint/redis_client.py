"""Redis as one process of the endpoint reaches it: two connections, and the failure of the last command.

A read that waits occupies its connection, so the bus reads on a connection of its own.
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ..errors import UsageError
from .state import StoreDown

PREFIX = "squall:"
TIMEOUT_S = 2.0
BLOCK_MS = 1000
"""How long the bus waits for the next entry."""

FAILURES = (RedisError, OSError, TimeoutError)

Value = TypeVar("Value")


class RedisClient:
    """`commands` is for all commands, `reader` for reads that wait. `failure` is empty while Redis works.

    Raises:
        UsageError: the address is not one of a Redis.
    """

    def __init__(self, url: str) -> None:
        self.failure = ""
        self.on_failure: Callable[[str], None] | None = None
        """Called with the text of each failure."""
        try:
            self.commands = connect(url, TIMEOUT_S)
            self.reader = connect(url, TIMEOUT_S + BLOCK_MS / 1000)
        except ValueError as error:
            raise UsageError(f"--store {without_password(url)}: {error}") from None

    async def do(self, command: Awaitable[Value]) -> Value:
        """Await a command.

        Raises:
            StoreDown: Redis cannot be reached or refuses the command.
        """
        try:
            value = await command
        except FAILURES as error:
            self.fail(error)
            raise StoreDown(self.failure) from None
        return value

    def fail(self, error: Exception) -> None:
        """Note a failure."""
        self.failure = f"Redis: {error or type(error).__name__}"
        if self.on_failure is not None:
            self.on_failure(self.failure)

    async def close(self) -> None:
        """Close both connections."""
        for client in (self.commands, self.reader):
            with contextlib.suppress(RedisError, OSError):
                await client.aclose()


def connect(url: str, timeout_s: float) -> Any:
    """A client of a Redis; `Any`, because its stubs do not distinguish the asynchronous calls from the others."""
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=TIMEOUT_S, protocol=2)


def is_redis(store: str) -> bool:
    """Whether a store's name is a Redis address.

    >>> is_redis("redis://127.0.0.1:6379/0"), is_redis("rediss://h"), is_redis("redis.db")
    (True, True, False)
    """
    return store.startswith(("redis://", "rediss://", "unix://"))


def check_redis(url: str) -> None:
    """Check that a Redis answers.

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
