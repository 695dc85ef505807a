"""Hybrid: a session that hears by WebSocket and posts what it says by REST; the HTTP answer is the ack.

It behaves like the WebSocket that it holds. The two belong together: when the WebSocket ends, the connection for posts
ends with it, and what breaks the client breaks both.
"""

from collections.abc import Callable

from ...auth import Entry
from ...record.row import Kind
from ...transport.events import Arrival, Ending, Listener, Pong, Refusal
from ...transport.http_connection import HttpConnection
from ...transport.websocket import WebSocket
from ...wire import Dialect
from ...wire.rest_mapping import Posting
from ..receipts import Receipt
from .conversation import ConversationListener
from .request_queue import RequestQueue
from .rest_endpoint import Credentials, RestEndpoint
from .socket_group import SocketGroup

POSTED = (Kind.PUBLISH, Kind.PROBE)

Connect = Callable[[Listener, int, Entry], WebSocket]
"""Begins the WebSocket of a session, which tells the listener what happens."""


class Hybrid:
    """The pattern of one session; `connect` begins its WebSocket."""

    __slots__ = ("_connect", "_endpoint", "_nonce", "dialect", "remembers")

    def __init__(self, endpoint: RestEndpoint, dialect: Dialect, nonce: str, connect: Connect) -> None:
        self.remembers = True
        self.dialect: Dialect = Posting(dialect, endpoint.mapping)
        self._endpoint = endpoint
        self._nonce = nonce
        self._connect = connect

    def forget(self) -> None:
        """There is nothing that it remembers."""

    def begin(self, listener: ConversationListener, entry: Entry) -> "HybridConversation":
        """Begin to open."""
        credentials = Credentials(self._endpoint, listener.number, listener.conn)
        posts = RequestQueue(self._endpoint, listener, credentials, self._nonce)
        conversation = HybridConversation(listener, posts)
        conversation.websocket = self._connect(conversation, listener.number, entry)
        return conversation


class HybridConversation:
    """A WebSocket and a connection for posts, as one."""

    __slots__ = ("_listener", "_posts", "websocket")

    websocket: WebSocket

    def __init__(self, listener: ConversationListener, posts: RequestQueue) -> None:
        self._listener = listener
        self._posts = posts

    # -- for the session ----------------------------------------------------------------------------------------

    def send(self, data: bytes, receipt: Receipt, /) -> bool:
        """Post a message, or send anything else as a frame."""
        if receipt.kind in POSTED:
            return self._posts.post(data, receipt)
        return self.websocket.send(data, receipt)

    def close(self, code: int = 1000) -> None:
        """Begin the closing handshake; the posts end with it."""
        self.websocket.close(code)

    def reset(self) -> None:
        """Break both with a TCP reset."""
        self._drop(HttpConnection.reset)
        self.websocket.reset()

    def half_close(self) -> None:
        """End our half of both streams with a FIN."""
        self._drop(HttpConnection.half_close)
        self.websocket.half_close()

    def limit_reading(self, bytes_per_s: int | None) -> None:
        """Limit both, each by itself."""
        self._posts.connection.limit_reading(bytes_per_s)
        self.websocket.limit_reading(bytes_per_s)

    def silence(self) -> None:
        """Stop reading and sending on both, keeping the sockets."""
        self._drop(HttpConnection.silence)
        self.websocket.silence()

    @property
    def socket(self) -> SocketGroup:
        """Both sockets, as one."""
        return SocketGroup([self.websocket.socket, self._posts.connection.socket])

    def _drop(self, how: Callable[[HttpConnection], None]) -> None:
        self._posts.drop()
        how(self._posts.connection)

    # -- what the WebSocket tells -------------------------------------------------------------------------------

    def opened(self, sent: int, when: Arrival) -> None:
        """The upgrade was accepted."""
        self._posts.warm()
        self._listener.opened(sent, when)

    def refused(self, why: Refusal, sent: int, when: Arrival) -> None:
        """It did not open."""
        self._listener.refused(why, sent, when)

    def received(self, data: bytes, when: Arrival) -> None:
        """A whole message came."""
        self._listener.received(data, when)

    def ponged(self, pong: Pong, when: Arrival | None) -> None:
        """A keepalive ping has ended."""
        self._listener.ponged(pong, when)

    def closed(self, end: Ending, when: Arrival) -> None:
        """The WebSocket has ended: so do the posts, unless they are being held in silence."""
        if not self._posts.is_over:
            self._drop(HttpConnection.close)
        self._listener.closed(end, when)
