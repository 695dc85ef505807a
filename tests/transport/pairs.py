"""Connections whose other end is in our hand: real sockets (a pair), the real hub, and a clock that stands still.

For feeding a connection exactly what a test wants, cut as it wants, thousands of times a second.
"""

import _socket
import contextlib
import fcntl
import socket
import ssl
import struct
import termios

import gevent
from websockets.uri import parse_uri

from harness.transport.clock import FakeClock
from harness.transport.options import Options, Route
from harness.transport.sockets import Sockets
from harness.transport.stream import Stage
from harness.transport.websocket import Phase, WebSocket
from tests.transport.serving import answer

NOWHERE = ((int(socket.AF_UNIX), ("nowhere",)),)
SPINS = 10_000
PIECES = 400


class _Ours(_socket.socket):
    """One end of a pair, which thinks that it has connected."""

    def connect_ex(self, address):
        return 0


class PairSockets(Sockets):
    """Gives pairs in place of connections; `peers` are the other ends, in order."""

    def __init__(self, clock, failure):
        super().__init__(clock, failure)
        self.stamped = False  # a pair has no stamps
        self.peers = []

    def make(self, family, source=""):
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.peers.append(theirs)
        mine = _Ours(fileno=ours.detach())
        mine.setblocking(False)
        return mine


class Witness:
    """What one connection told, with no more kept of it than is compared."""

    def __init__(self):
        self.opened_times = 0
        self.refusal = None
        self.messages = []
        self.ending = None
        self.told_after_the_end = 0

    @property
    def is_over(self):
        return self.refusal is not None or self.ending is not None

    def opened(self, sent, when):
        self.told_after_the_end += self.is_over
        self.opened_times += 1

    def refused(self, why, sent, when):
        self.told_after_the_end += self.is_over
        self.refusal = why

    def received(self, data, when):
        self.told_after_the_end += self.is_over
        self.messages.append(data)

    def ponged(self, pong, when):
        self.told_after_the_end += self.is_over

    def closed(self, end, when):
        self.told_after_the_end += self.is_over
        self.ending = end


class Wire:
    """The other end of a connection, plain or under TLS (then `server` is the endpoint's context)."""

    def __init__(self, bench, connection, server=None):
        self.connection = connection
        self.peer = bench.sockets.peers[-1]
        self.heard = b""
        self._seal = _Seal(server) if server is not None else None
        spin_until(lambda: connection._stream.stage is not Stage.TCP)

    def shake(self, mutated=None):
        """Do the TLS handshake; `mutated` spoils what the endpoint says in it."""
        for _ in range(10):
            self._seal.hear(self._raw())
            try:
                done = self._seal.shake()
            except ssl.SSLError:
                return  # the client has taken offence
            said = self._seal.said()
            self.pour(mutated(said) if mutated is not None and said else said)
            if done:
                return

    def _raw(self):
        data = b""
        try:
            while part := self.peer.recv(65536):
                data += part
        except OSError:
            pass
        return data

    def listen(self):
        """Add what the client has said to `heard`."""
        raw = self._raw()
        if self._seal is not None:
            self._seal.hear(raw)
            raw = self._seal.opened()
        self.heard += raw
        return self.heard

    def sealed(self, data):
        """The bytes that carry this data on the wire."""
        return data if self._seal is None else self._seal.sealed(data)

    def feed(self, data, cuts=()):
        """Send what stands for this data, cut after each so many bytes (in turn; none: whole)."""
        self.pour(self.sealed(data), cuts)

    def pour(self, raw, cuts=()):
        """Send bytes as they are."""
        at = turn = 0
        pieces = len(raw) * len(cuts) // max(1, sum(cuts))
        least = len(raw) // PIECES if pieces > PIECES else 0  # so that a long stream is not cut into thousands
        while at < len(raw):
            step = cuts[turn % len(cuts)] + least if cuts else len(raw)
            try:
                at += self.peer.send(raw[at : at + step])
            except BlockingIOError:
                return  # the client reads nothing any more
            except OSError:
                return  # the client has gone
            turn += 1
            self.drain()

    def drain(self):
        """Let the hub run until the client has read everything, if it still reads."""
        spin_until(lambda: self._ours.fileno() < 0 or self.was_silenced or not self._unread)

    @property
    def was_silenced(self):
        """Whether the client keeps the socket and does not look at it any more."""
        return self._ours.fileno() >= 0 and self.connection._stream._reader is None

    @property
    def _ours(self):
        return self.connection.socket

    @property
    def _unread(self):
        return struct.unpack("i", fcntl.ioctl(self._ours.fileno(), termios.FIONREAD, b"\0" * 4))[0]

    def end(self):
        """The endpoint ends its side."""
        with contextlib.suppress(OSError):
            self.peer.shutdown(socket.SHUT_WR)
        self._until_noticed()

    def close(self):
        """The endpoint's process dies: with what it has not read, this is a reset."""
        if self.peer.fileno() >= 0:
            self.peer.close()
            self._until_noticed()

    def _until_noticed(self):
        spin_until(lambda: self.connection.phase >= Phase.ENDED or self.was_silenced)


class Line(Wire):
    """A connection of its own with its other end, and a witness of what it told."""

    def __init__(self, bench, server=None, **wishes):
        self.witness = Witness()
        route = Route(NOWHERE, tls=wishes.pop("tls", None), server_name="127.0.0.1")
        connection = WebSocket(bench.sockets, self.witness, Options(route, **wishes))
        connection.connect(0, parse_uri("ws://127.0.0.1/x"), {}, ())
        super().__init__(bench, connection, server)
        if server is not None:
            self.shake()

    def answer(self, more=b""):
        """The acceptance of the upgrade that was asked for."""
        return answer(self.listen(), more)


class _Seal:
    """The endpoint's side of TLS."""

    def __init__(self, context):
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_side=True)

    def hear(self, raw):
        self._in.write(raw)

    def shake(self):
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def said(self):
        return self._out.read()

    def opened(self):
        data = b""
        try:
            while part := self._object.read(65536):
                data += part
        except ssl.SSLError:
            pass  # there is no more, or an alert
        return data

    def sealed(self, data):
        at = 0
        with contextlib.suppress(ssl.SSLError):  # the client has said goodbye
            while at < len(data):
                at += self._object.write(data[at : at + 16_384])
        return self._out.read()


class PairBench:
    """Makes lines on one clock; `failures` is what the hub would have swallowed."""

    def __init__(self):
        self.failures = []
        self.clock = FakeClock()
        self.clock.failure = self.failures.append
        self.sockets = PairSockets(self.clock, self.failures.append)

    def finish(self):
        for peer in self.sockets.peers:
            peer.close()
        self.sockets.peers.clear()


def spin_until(happened):
    """Let the hub look at its sockets until it has happened."""
    for _ in range(SPINS):
        if happened():
            return
        gevent.idle()  # sleep(0) comes back some hundred times before the hub looks at its sockets
    raise AssertionError("it never happened")
