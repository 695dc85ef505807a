"""A server that sends more than a slow reader takes, over buffers so small that the client's window fills."""

import select
import socket

from tests.transport.serving import accept, close_frame, read_to_end, text
from tests.waiting import until

MESSAGE_BYTES, MESSAGES = 1000, 1000
BUFFER_BYTES = 1 << 14


class Flood:
    """One connection on a bench; the server begins to send at `begin`.

    `sent` are the numbers of the messages that the server's kernel has taken.
    """

    def __init__(self, bench):
        self._may_begin, self._peers = [], []
        self.sent = []
        self.connection = bench.connect(self._serve)
        bench.until(lambda: bench.witness.opening)
        self.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)

    def begin(self):
        self._may_begin.append(True)

    @property
    def is_stuck(self):
        """Whether the server's buffer is full, since the client's is."""
        return not select.select([], [self._peers[0]], [], 0)[1]

    def _serve(self, peer):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        accept(peer)
        self._peers.append(peer)
        until(lambda: self._may_begin)
        for number in range(MESSAGES):
            peer.sendall(text(b"%*d" % (MESSAGE_BYTES, number)))
            self.sent.append(number)
        peer.sendall(close_frame(1000))
        read_to_end(peer)
