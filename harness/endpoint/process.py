"""One endpoint as one process: socket, event loop, signals, the first line on stdout, the end.

Subtle: the parent is watched by a pidfd, not by PR_SET_PDEATHSIG, which fires when the *thread* that started us ends
and would kill the endpoint of a parent that starts it from a worker thread.
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
import resource
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import uvloop
from aiohttp import web

from ..errors import UsageError
from .defects import Defect, with_defects
from .hub import Hub
from .policies import Policies, honest_policies
from .quiet import ClientFaults
from .redis_client import check_redis, is_redis
from .redis_store import RedisStore
from .server import Server
from .settings import Settings
from .sqlite_store import SqliteStore
from .state import Store
from .supervisor import Supervisor, hold
from .tokens import Verifier, find_secret, make_secret_file, read_public_key

log = logging.getLogger("squall.endpoint")

BACKLOG = 4096

__all__ = ["serve_until_stopped"]


def serve_until_stopped(
    settings: Settings,
    defects: Sequence[tuple[Defect, float]],
    secret_file: Path | None,
    public_key: Path | None,
    exit_with_parent: bool,
) -> None:
    """Serve until SIGTERM, SIGINT or (if requested) the parent's end.

    Raises:
        UsageError: the port is taken, the secret or the store cannot be used.
    """
    level = settings.log_level.upper()
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("aiohttp.server").addFilter(ClientFaults())
    parent = os.getppid() if exit_with_parent else None
    with contextlib.ExitStack() as stack:
        policies = with_defects(
            honest_policies(settings, verifier(stack, secret_file, public_key)), defects, settings.seed
        )
        check_store(settings)
        allow_descriptors()
        if settings.processes == 1:
            listener = stack.enter_context(listen(settings))
            uvloop.run(_serve(settings, policies, listener, parent, lambda: say_url(listener)))
            return
        holder = stack.enter_context(hold(settings.host, settings.port))

        def child(port: int, listens: Callable[[], None]) -> int:
            with listen(dataclasses.replace(settings, port=port), shared=True) as listener:
                uvloop.run(_serve(settings, policies, listener, os.getppid(), listens))
            return 0

        port = holder.getsockname()[1]
        Supervisor(settings.processes, port, child, parent).run(lambda: say_url(holder))


def check_store(settings: Settings) -> None:
    """Check before anything starts that the store can be used.

    Raises:
        UsageError: a Redis that cannot be reached.
    """
    if is_redis(settings.store):
        check_redis(settings.store)


def make_store(settings: Settings, process: str) -> Store:
    """Make the store that the settings name.

    Raises:
        UsageError: the store cannot be used.
    """
    if is_redis(settings.store):
        return RedisStore(settings.store, settings.history, process)
    return SqliteStore(settings.store, settings.history)


def say_url(listener: socket.socket) -> None:
    """Print the first line of output."""
    host, port = listener.getsockname()[:2]
    print(f"ws://{f'[{host}]' if ':' in host else host}:{port}/ws", flush=True)


def verifier(stack: contextlib.ExitStack, secret_file: Path | None, public_key: Path | None) -> Verifier:
    """The verifier of tokens, by a public key or the secret; a secret file made here is removed with the stack.

    Raises:
        UsageError: the file cannot be read or is not a key.
    """
    if public_key is not None:
        return read_public_key(public_key)
    secret = find_secret(secret_file)
    if secret is None:
        secret, made = make_secret_file()
        stack.callback(made.unlink, missing_ok=True)
        print(f"squall: the secret for tokens is in {made}", file=sys.stderr, flush=True)
    return Verifier(secret)


def listen(settings: Settings, *, shared: bool = False) -> socket.socket:
    """A bound socket; its options for dead peers apply to every connection that it accepts.

    `shared` if other processes of ours listen on the same port.

    Raises:
        UsageError: the port is taken or the host is not ours.
    """
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    notice_dead_peers(listener, settings.tcp_keepalive_s, settings.tcp_user_timeout_s)
    listener.setblocking(False)
    return listener


def notice_dead_peers(listener: socket.socket, keepalive_s: float, user_timeout_s: float) -> None:
    """Have the kernel give up an idle peer that is silent, and one that does not acknowledge data; 0: never."""
    if keepalive_s:
        probe_s = max(1, round(keepalive_s / 3))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, round(keepalive_s)))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, probe_s)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    if user_timeout_s:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(user_timeout_s * 1000))


def allow_descriptors() -> None:
    """Raise the soft limit of open files to the hard limit: every client needs a descriptor."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(
    settings: Settings, policies: Policies, listener: socket.socket, parent: int | None, listens: Callable[[], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    process = secrets.token_hex(4)
    hub = Hub(policies, make_store(settings, process), settings, process)
    runner = web.AppRunner(
        Server(hub, settings).application(),
        handle_signals=False,
        access_log=None,
        shutdown_timeout=1.0,
        tcp_keepalive=False,
        auto_decompress=False,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        listens()
        with watching(parent, stop):
            await stop.wait()
        log.info("stopping")
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def watching(parent: int | None, stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` when the process `parent` ends (None: watch nobody)."""
    if parent is None:
        yield
        return
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(parent)
    except OSError:
        descriptor = -1
    if descriptor < 0 or os.getppid() != parent:
        stop.set()
        yield
        return
    loop.add_reader(descriptor, stop.set)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
