"""What all connections of one process share: the hub's loop, one read buffer, and the kernel's arrival stamps.

Subtle: a stamp belongs to the *last* segment that a read returned, so only the last message of a read that drained the
socket has an exact arrival (docs/design.md, decision 4); the transport, which sees the messages, decides that from what
`receive` returns.
"""

import _socket
import errno
import fcntl
import os
import resource
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from typing import cast as typed

import gevent

from ..errors import RunFailed
from ..record.spread import Spread
from ..units import SECOND
from .clock import Clock
from .frames import Masker
from .options import Address
from .tls import PLAIN_BYTES
from .upgrade import Upgrades

READ_BYTES = 1 << 16
SO_TIMESTAMPNS = 35
SCM_TIMESTAMPNS = SO_TIMESTAMPNS
IP_BIND_ADDRESS_NO_PORT = 24
STAMP = struct.Struct("@ll")
ANCILLARY_BYTES = _socket.CMSG_SPACE(STAMP.size)
SOL_SOCKET = int(socket.SOL_SOCKET)  # plain, as all that is compared for each read
unpack_stamp = STAMP.unpack

Socket = Any  # _socket.socket: the C class, without the 200 bytes and the methods of its Python wrapper


class Sockets:
    """One process's sockets. `failure` gets every exception of a callback, since the hub would swallow it."""

    def __init__(self, clock: Clock, failure: Callable[[BaseException], None]) -> None:
        self.clock = clock
        self.failure = failure
        self.loop = gevent.get_hub().loop
        self.buffer = bytearray(READ_BYTES)
        self.view = memoryview(self.buffer)
        self._buffers = (self.buffer,)
        self._plain: memoryview | None = None
        self.stamped = kernel_stamps()
        self.masker = Masker()
        self.upgrades = Upgrades()
        self.unsent_bytes = 0
        """Bytes that the kernel has not taken yet, over all connections."""
        self.read_lags = Spread()
        self.reads = 0
        self.unstamped = 0
        """Reads, and those of them to which the kernel gave no stamp."""

    @property
    def plain(self) -> memoryview:
        """The buffer that decrypted bytes go to; made when it is first needed."""
        if self._plain is None:
            self._plain = memoryview(bytearray(PLAIN_BYTES))
        return self._plain

    def make(self, family: int, source: str = "") -> Socket:
        """A new non-blocking TCP socket that stamps arrivals, bound to an address of ours if `source` names one.

        Raises:
            OSError: no descriptors are left, or the address is not ours.
        """
        sock = _socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # Nagle's delay is no latency of the endpoint's
        if self.stamped:
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if source:
            try:
                bind(sock, source)
            except OSError:
                sock.close()
                raise
        return sock

    def receive(self, sock: Socket) -> tuple[int, int, int]:
        """Read once into `buffer`: (bytes, arrived, read); arrived is 0 where the kernel gave no stamp.

        Raises:
            OSError: BlockingIOError when there is nothing, anything else when the connection is broken.
        """
        if not self.stamped:
            count = sock.recv_into(self.buffer)
            return count, 0, self.clock.now()
        clock = self.clock
        count, ancillary, _, _ = sock.recvmsg_into(self._buffers, ANCILLARY_BYTES)
        read = clock.now()
        self.reads += 1
        for level, kind, payload in ancillary:
            if kind == SCM_TIMESTAMPNS and level == SOL_SOCKET:
                seconds, nanos = unpack_stamp(payload)
                arrived = clock.monotonic(seconds * SECOND + nanos, read)
                self.read_lags.add(read - arrived)
                return count, arrived, read
        self.unstamped += count > 0  # the end of a stream has none
        return count, 0, read

    def receive_late(self, sock: Socket, most: int) -> tuple[int, int, int]:
        """As `receive`, at most `most` bytes, from a socket that is read late on purpose.

        It counts as arrived when it was read, and says nothing of how well this process keeps up: it is counted neither
        in `read_lags` nor in `reads`.

        Raises:
            OSError: as `receive`.
        """
        return sock.recv_into(self.buffer, most), 0, self.clock.now()


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


def bind(sock: Socket, source: str) -> None:
    """Give a socket its own address but no port yet: the kernel picks one when connecting, from all that are free to
    this destination, so that each source address has its own 28,000.

    Raises:
        OSError: the address is not ours.
    """
    sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind((source, 0))


def resolve(host: str, port: int, key: str = "endpoint.url") -> tuple[Address, ...]:
    """Every address of `host`; `key` is where the plan names it.

    Raises:
        RunFailed: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        raise RunFailed(f'cannot find the host "{host}": {reason}; check {key}') from error
    return tuple(dict.fromkeys((int(family), typed(Any, address)) for family, _, _, _, address in found))


def allow_descriptors(wanted: int) -> None:
    """Raise this process's limit of open files as far as it goes; `wanted` is what the sessions need at least.

    Raises:
        RunFailed: that is more than the hard limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise RunFailed(
            f"{wanted} open files are needed and {hard} are allowed: raise the limit (ulimit -Hn {wanted}), "
            "spread the sessions over --processes, or lower load.sessions"
        )
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _enlarge_table(wanted)


def _enlarge_table(wanted: int) -> None:
    """Enlarge the kernel's table of our open files now.

    It doubles when it is full, and if threads share it (ours do) the caller waits 11 to 16 ms for that: at the 256th
    session, the 512th, and so on.
    """
    with suppress(OSError), socket.socket() as any_file:  # what cannot be had now is waited for then
        os.close(fcntl.fcntl(any_file.fileno(), fcntl.F_DUPFD_CLOEXEC, wanted - 1))


def explain(code: int) -> str:
    """An errno in words, as people know it."""
    advice = "; no local port is left: give endpoint.source_addresses" if code == errno.EADDRNOTAVAIL else ""
    return f"{os.strerror(code)} ({errno.errorcode.get(code, code)}){advice}"
