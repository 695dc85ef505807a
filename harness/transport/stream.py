"""One byte stream to the endpoint: TCP, through a proxy if the route says so, under TLS if it says so.

It reports to one owner what happened, with times. There is no greenlet (docs/design.md, decision 1): everything here
runs in hub callbacks, which must neither block nor switch, and each ends in one guard, since the hub swallows what they
raise. Subtle: `sent` is read just before the system call that takes the last byte of a message, so that no answer can
precede it; the owner may end the stream from any of its callbacks, so nothing here is touched after one; and a failed
write is reported later, after what had arrived before it, never from within `write`.

Longer than other modules, because TCP, proxy and TLS are stages of one socket with one pair of watchers.
"""

import errno
import socket
import ssl
import struct
from collections import deque
from contextlib import suppress
from enum import IntEnum
from typing import Any, Protocol

from ..record.row import Outcome
from .events import Refusal, Stampable
from .limited_reading import LimitedReading
from .options import Route
from .sockets import READ_BYTES, Socket, Sockets
from .tls import TlsRecords, refusal
from .tunnel import Tunnel

READ, WRITE = 1, 2
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Owner(Protocol):
    """Who hears what happens on a stream; called from the hub."""

    def connected(self) -> None:
        """Bytes may be written."""

    def refused_on_the_way(self, why: Refusal) -> None:
        """The proxy or TLS did not let us through; nothing more will come."""

    def arrived(self, view: memoryview, count: int, arrived: int, read: int, drained: bool) -> None:
        """`view[:count]` came, and is only good until this returns; `arrived` (0: unknown) is the kernel's stamp.

        `drained` says that nothing that came later was read with it.
        """

    def ended(self, arrived: int, read: int) -> None:
        """The endpoint has ended its side."""

    def lost(self, code: int) -> None:
        """The kernel says that the connection is broken, or never came to be (an errno)."""

    def broken(self, why: Refusal) -> None:
        """TLS has failed on an open stream."""


class _Nobody:
    """Hears nothing: the owner of a stream that is closed, so that the two hold each other no longer."""

    def connected(self) -> None: ...
    def refused_on_the_way(self, why: Refusal) -> None: ...
    def arrived(self, view: memoryview, count: int, arrived: int, read: int, drained: bool) -> None: ...
    def ended(self, arrived: int, read: int) -> None: ...
    def lost(self, code: int) -> None: ...
    def broken(self, why: Refusal) -> None: ...


NOBODY = _Nobody()


class Stage(IntEnum):
    """How far a stream has come."""

    TCP = 0
    PROXY = 1
    TLS = 2
    UP = 3
    CLOSED = 4


class Stream:
    """A stream to be; `connect` begins it."""

    __slots__ = ("_limit", "_owner", "_queue", "_reader", "_sockets", "_tls", "_tunnel", "_writer", "socket", "stage")

    def __init__(self, sockets: Sockets, owner: Owner) -> None:
        self._sockets = sockets
        self._owner = owner
        self._reader: Any = None
        self._limit: LimitedReading | None = None
        self._writer: Any = None
        self._queue: deque[tuple[memoryview, Stampable | None]] | None = None
        self._tunnel: Tunnel | None = None
        self._tls: TlsRecords | None = None
        self.socket: Socket = None
        self.stage = Stage.TCP

    # -- coming up ----------------------------------------------------------------------------------------------

    def connect(self, route: Route, number: int) -> None:
        """Begin; the owner hears `connected`, `refused_on_the_way` or `lost` later, never from here."""
        (family, where), source = route.hop(number)
        try:
            self.socket = self._sockets.make(family, source)
            code = self.socket.connect_ex(where)
        except OSError as error:
            code = error.errno or 0
        if code in (0, errno.EINPROGRESS):
            self._watch_writable(lambda: self._on_connected(route))
        else:
            self._sockets.clock.after(0, lambda: self._owner.lost(code))

    def _on_connected(self, route: Route) -> None:
        try:
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._owner.lost(code)
                return
            self._unwatch_writable()
            self._reader = self._sockets.loop.io(self.socket.fileno(), READ)
            if route.proxy_request:
                self.stage = Stage.PROXY
                self._tunnel = Tunnel()
                self._reader.start(lambda: self._on_proxy(route))
                self.write(route.proxy_request, is_raw=True)
            else:
                self._through(route)
        except BaseException as error:  # noqa: BLE001
            self._sockets.failure(error)

    def _through(self, route: Route) -> None:
        """The way to the endpoint is open."""
        if route.tls is None:
            self._up(self._on_readable)
            return
        self.stage = Stage.TLS
        self._tls = TlsRecords(route.tls, route.server_name)
        self._reader.stop()
        self._reader.start(self._on_shaking)
        self._tls.shake()
        self.write(self._tls.outgoing(), is_raw=True)

    def _up(self, callback: Any) -> None:
        self.stage = Stage.UP
        self._reader.stop()
        self._reader.start(callback)
        self._owner.connected()

    def _on_proxy(self, route: Route) -> None:
        try:
            count, _, _ = self._receive()
            if count < 0 or self._tunnel is None:
                return
            if not count:
                why = Refusal(Outcome.CLOSED, 0, "the proxy ended the connection before an answer")
                self._owner.refused_on_the_way(why)
                return
            answer = self._tunnel.feed(bytes(self._sockets.view[:count]))
            if isinstance(answer, Refusal):
                self._owner.refused_on_the_way(answer)
            elif answer:
                self._tunnel = None
                self._through(route)
        except BaseException as error:  # noqa: BLE001
            self._sockets.failure(error)

    def _on_shaking(self) -> None:
        try:
            count, arrived, read = self._receive()
            tls = self._tls
            if count < 0 or tls is None:
                return
            if not count:
                why = Refusal(Outcome.CLOSED, 0, "the connection ended during the TLS handshake")
                self._owner.refused_on_the_way(why)
                return
            tls.feed(self._sockets.view[:count])
            try:
                done = tls.shake()
            except ssl.SSLError as error:
                self._say(tls.outgoing())
                self._owner.refused_on_the_way(refusal(error, tls.first))
                return
            self.write(tls.outgoing(), is_raw=True)
            if done and self.stage is Stage.TLS:
                self._up(self._on_encrypted)
                self._decrypt(tls, arrived, read)
        except BaseException as error:  # noqa: BLE001
            self._sockets.failure(error)

    # -- reading ------------------------------------------------------------------------------------------------

    def _receive(self) -> tuple[int, int, int]:
        """Read once: (bytes, arrived, read); -1 bytes when there is nothing, or the owner heard why."""
        try:
            return self._sockets.receive(self.socket)
        except BlockingIOError:
            pass
        except OSError as error:
            self._owner.lost(error.errno or 0)
        return -1, 0, 0

    def _on_readable(self) -> None:
        sockets = self._sockets
        try:
            try:
                count, arrived, read = sockets.receive(self.socket)  # not by _receive: a call less on the hot path
            except BlockingIOError:
                return
            except OSError as error:
                self._owner.lost(error.errno or 0)
                return
            if count:
                self._owner.arrived(sockets.view, count, arrived, read, count < READ_BYTES)
            else:
                self._owner.ended(arrived, read)
        except BaseException as error:  # noqa: BLE001
            sockets.failure(error)

    def _on_encrypted(self) -> None:
        try:
            count, arrived, read = self._receive()
            tls = self._tls
            if count < 0 or tls is None:
                return
            self._feed(tls, count, arrived, read, count < READ_BYTES)
        except BaseException as error:  # noqa: BLE001
            self._sockets.failure(error)

    def limit_reading(self, bytes_per_s: int | None) -> None:
        """Read at most so many bytes per second from now on; None: as they come again, the backlog first."""
        if self.stage is not Stage.UP or self._reader is None:
            return
        if bytes_per_s is None:
            if self._limit is not None:
                self._limit.catch_up(READ_BYTES, self._read_freely)
            return
        self._reader.stop()
        if self._limit is not None:
            self._limit.stop()
        self._limit = LimitedReading(self._sockets.clock, bytes_per_s, self._read_late)

    def _read_freely(self) -> None:
        self._limit = None
        if self._reader is not None:
            self._reader.start(self._on_readable if self._tls is None else self._on_encrypted)

    def _read_late(self, most: int) -> int:
        """Read at most so many bytes, late on purpose; how many it were."""
        sockets = self._sockets
        most = min(most, READ_BYTES)
        try:
            try:
                count, arrived, read = sockets.receive_late(self.socket, most)
            except BlockingIOError:
                return 0
            except OSError as error:
                self._owner.lost(error.errno or 0)
                return 0
            if self._tls is not None:
                self._feed(self._tls, count, arrived, read, count < most)
            elif count:
                self._owner.arrived(sockets.view, count, arrived, read, count < most)
            else:
                self._owner.ended(arrived, read)
            return count
        except BaseException as error:  # noqa: BLE001
            sockets.failure(error)
            return 0

    def _feed(self, tls: TlsRecords, count: int, arrived: int, read: int, whole: bool) -> None:
        """Decrypt what one read has brought; nothing: the endpoint has ended its side."""
        if count:
            tls.feed(self._sockets.view[:count])
        else:
            tls.feed_eof()
        self._decrypt(tls, arrived, read, whole=whole)

    def _decrypt(self, tls: TlsRecords, arrived: int, read: int, whole: bool = True) -> None:
        """Tell the owner what was in the encrypted bytes of one read."""
        buffer = self._sockets.plain
        while self.stage is Stage.UP:
            try:
                count, at_end = tls.decrypt(buffer)
            except ssl.SSLError as error:
                self._say(tls.outgoing())
                self._owner.broken(refusal(error, tls.first))
                return
            self.write(tls.outgoing(), is_raw=True)
            if count:
                self._owner.arrived(buffer, count, arrived, read, whole and tls.drained)
            if at_end and self.stage is Stage.UP:
                self._owner.ended(arrived, read)
            if at_end or not count or tls.drained:
                return

    # -- writing ------------------------------------------------------------------------------------------------

    def write(self, data: bytes, message: Stampable | None = None, *, is_raw: bool = False) -> None:
        """Send; `message.sent` is stamped when the kernel takes the last byte, now or later; `is_raw`: without TLS."""
        if self._tls is not None and not is_raw:
            try:
                data = self._tls.encrypt(data)
            except ssl.SSLError as error:
                self._owner.broken(refusal(error, self._tls.first))
                return
        if not data:
            return
        sockets = self._sockets
        if self._queue:
            self._queue.append((memoryview(data), message))
            sockets.unsent_bytes += len(data)
            return
        now = sockets.clock.now()
        try:
            count = self.socket.send(data)
        except BlockingIOError:
            count = 0
        except OSError as error:
            self._queue = deque([(memoryview(data), message)])  # what is written from now on waits behind it in vain
            sockets.unsent_bytes += len(data)
            self._write_failed(error.errno or 0)
            return
        if count == len(data):
            if message is not None:
                message.sent = now
            return
        self._queue = deque([(memoryview(data)[count:], message)])
        sockets.unsent_bytes += len(data) - count
        self._watch_writable(self._on_writable)

    def _on_writable(self) -> None:
        try:
            queue = self._queue
            while queue:
                data, message = queue[0]
                now = self._sockets.clock.now()
                try:
                    count = self.socket.send(data)
                except BlockingIOError:
                    return
                except OSError as error:
                    self._write_failed(error.errno or 0)
                    return
                self._sockets.unsent_bytes -= count
                if count < len(data):
                    queue[0] = (data[count:], message)
                    return
                queue.popleft()
                if message is not None:
                    message.sent = now
            self._queue = None
            self._unwatch_writable()
        except BaseException as error:  # noqa: BLE001
            self._sockets.failure(error)

    def _write_failed(self, code: int) -> None:
        """The kernel takes nothing more: tell the owner, soon, and what had arrived before that first.

        Linux still gives out what it received before a reset, a close frame for example, which says more than the
        errno. It is not read from here: the owner may be in the middle of what came before it.
        """
        self._unwatch_writable()
        if self._limit is not None:
            self._limit.stop()
        if self._reader is not None:
            self._reader.stop()  # after a failed write it would report an end of the stream, not the reset
        self._sockets.clock.after(0, lambda: self._read_rest(code))

    def _read_rest(self, code: int) -> None:
        """Give the owner all that can still be read, then tell it that the connection is broken."""
        sockets = self._sockets
        try:
            while self.stage is Stage.UP and self._reader is not None:
                try:
                    if self._limit is None:
                        count, arrived, read = sockets.receive(self.socket)
                    else:
                        count, arrived, read = sockets.receive_late(self.socket, READ_BYTES)
                except OSError:  # nothing left, or the same error again
                    break
                if not count:
                    break
                if self._tls is not None:
                    self._feed(self._tls, count, arrived, read, count < READ_BYTES)
                else:
                    self._owner.arrived(sockets.view, count, arrived, read, count < READ_BYTES)
            if self._reader is not None:  # else it was closed, or silenced on purpose
                self._owner.lost(code)
        except BaseException as error:  # noqa: BLE001
            sockets.failure(error)

    def _say(self, data: bytes) -> None:
        """Send a last word if the kernel takes it at once."""
        if data and not self._queue:
            with suppress(OSError):  # a peer that has gone does not need it
                self.socket.send(data)

    # -- ending -------------------------------------------------------------------------------------------------

    def half_close(self) -> None:
        """End our side with a FIN, and nothing of TLS's own, as a process that exits does."""
        with suppress(OSError):  # it has been broken meanwhile, and we are about to read so
            self.socket.shutdown(socket.SHUT_WR)

    def silence(self) -> None:
        """Stop reading and sending for good, keeping the socket."""
        self._stop_watching()

    def reset(self) -> None:
        """Break it with a TCP reset."""
        if self.socket is not None and self.socket.fileno() >= 0:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._tls = None
        self.close()

    def close(self) -> None:
        """Give everything back to the system; silent, and harmless when done before."""
        if self._tls is not None and self.stage is Stage.UP and self._reader is not None:
            self._say(self._tls.goodbye())
        self.stage = Stage.CLOSED
        self._tls = None
        self._owner = NOBODY
        self._stop_watching()
        if self.socket is not None:
            self.socket.close()

    # -- watchers -----------------------------------------------------------------------------------------------

    def _watch_writable(self, callback: Any) -> None:
        self._writer = self._sockets.loop.io(self.socket.fileno(), WRITE)
        self._writer.start(callback)

    def _unwatch_writable(self) -> None:
        if self._writer is not None:
            self._writer.stop()
            self._writer.close()
            self._writer = None

    def _stop_watching(self) -> None:
        if self._limit is not None:
            self._limit.stop()
            self._limit = None
        self._unwatch_writable()
        if self._reader is not None:
            self._reader.stop()
            self._reader.close()
            self._reader = None
        if self._queue:
            self._sockets.unsent_bytes -= sum(len(data) for data, _ in self._queue)
        self._queue = None
