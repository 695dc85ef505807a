"""What all connections of one process share: the hub's loop, one read buffer, and the kernel's arrival stamps.

It must not know any protocol. The subtle thing: a stamp belongs to the *last* segment that a read returned, so only
the last message of a read that drained the socket has an exact arrival (DESIGN decision 4); the transport, which
sees the messages, decides that from what `receive` returns.
"""

import _socket
import errno
import os
import resource
import socket
import struct
from collections.abc import Callable
from typing import Any

import gevent

from ..clock import Clock
from ..errors import RunFailed
from .frames import Masker

READ_BYTES = 1 << 16
SO_TIMESTAMPNS = 35
SCM_TIMESTAMPNS = SO_TIMESTAMPNS
STAMP = struct.Struct("@ll")
ANCILLARY_BYTES = _socket.CMSG_SPACE(STAMP.size)
BILLION = 1_000_000_000

# A port is freed at once by a reset, a minute later by an orderly close; and nobody wants Nagle in a latency test.
Socket = Any  # _socket.socket: the C class, without the 200 bytes and the methods of its Python wrapper
Address = tuple[int, Any]
"""Family and address, as `resolve` found them."""


class Sockets:
    """One process's sockets. `failure` is told of whatever a callback raises, since the hub would swallow it."""

    def __init__(self, clock: Clock, failure: Callable[[BaseException], None]) -> None:
        self.clock = clock
        self.failure = failure
        self.loop = gevent.get_hub().loop
        self.buffer = bytearray(READ_BYTES)
        self.view = memoryview(self.buffer)
        self.stamped = kernel_stamps()
        self.masker = Masker()
        self.unsent_bytes = 0
        """Bytes that the kernel has not taken yet, over all connections."""

    def make(self, family: int) -> Socket:
        """A new non-blocking TCP socket that stamps arrivals.

        Raises:
            OSError: no descriptors are left.
        """
        sock = _socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.stamped:
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        return sock

    def receive(self, sock: Socket) -> tuple[int, int, int]:
        """Read once into `buffer`: (bytes, arrived, read); arrived is 0 where the kernel gave no stamp.

        Raises:
            OSError: BlockingIOError when there is nothing, anything else when the connection is broken.
        """
        if not self.stamped:
            count = sock.recv_into(self.buffer)
            return count, 0, self.clock.now()
        count, ancillary, _, _ = sock.recvmsg_into([self.buffer], ANCILLARY_BYTES)
        read = self.clock.now()
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == SCM_TIMESTAMPNS:
                seconds, nanos = STAMP.unpack(payload)
                return count, self.clock.monotonic(seconds * BILLION + nanos, read), read
        return count, 0, read


def kernel_stamps() -> bool:
    """Whether this kernel stamps arrivals on TCP sockets."""
    if not hasattr(_socket.socket, "recvmsg_into"):
        return False
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        except OSError:
            return False
    return os.uname().sysname == "Linux"


def resolve(host: str, port: int) -> list[Address]:
    """Every address of `host`.

    Raises:
        RunFailed: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise RunFailed(f'cannot find the host "{host}": {error.strerror}; check endpoint.url') from error
    return [(family, address) for family, _, _, _, address in found]


def allow_descriptors(wanted: int) -> None:
    """Raise this process's limit of open files to what the sessions need.

    Raises:
        RunFailed: the hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise RunFailed(
                f"{wanted} open files are needed and {hard} are allowed: raise the limit (ulimit -Hn {wanted}), "
                "spread the sessions over --processes, or lower load.sessions"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def explain(code: int) -> str:
    """An errno in words, as people know it."""
    return f"{os.strerror(code)} ({errno.errorcode.get(code, code)})"
