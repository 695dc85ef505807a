"""Hybrid: a session that hears by WebSocket and posts what it says by REST; the HTTP answer is the ack.

It behaves like the WebSocket that it holds. It must not know when anything is due. The subtle thing: the two belong
together. When the WebSocket ends, the connection for commands ends with it; what breaks the client breaks both.
"""

from collections.abc import Callable

from ...auth import Entry
from ...record.row import Kind
from ...transport.events import Arrival, Ending, Listener, Pong, Refusal
from ...transport.http import HttpConnection
from ...transport.websocket import WebSocket
from ...wire import Dialect
from ...wire.rest import Posting
from ..receipts import Receipt
from .conversation import Client
from .request_queue import Commands
from .rest_endpoint import Credentials, Origin
from .socket_group import Sockets

POSTED = (Kind.PUBLISH, Kind.PROBE)

Connect = Callable[[Listener, int, Entry], WebSocket]
"""Begins the WebSocket of a session, which tells the listener what happens."""


class Hybrid:
    """The pattern of one session; `connect` begins its WebSocket."""

    __slots__ = ("_connect", "_nonce", "_origin", "dialect", "remembers")

    def __init__(self, origin: Origin, dialect: Dialect, nonce: str, connect: Connect) -> None:
        self.remembers = True
        self.dialect: Dialect = Posting(dialect, origin.rest)
        self._origin = origin
        self._nonce = nonce
        self._connect = connect

    def forget(self) -> None:
        """There is nothing that it remembers."""

    def begin(self, client: Client, entry: Entry) -> "HybridConversation":
        """Begin to open."""
        credentials = Credentials(self._origin, client.number, client.conn)
        commands = Commands(self._origin, client, credentials, self._nonce)
        conversation = HybridConversation(client, commands)
        conversation.websocket = self._connect(conversation, client.number, entry)
        return conversation


class HybridConversation:
    """A WebSocket and a connection for commands, as one."""

    __slots__ = ("_client", "_commands", "websocket")

    websocket: WebSocket

    def __init__(self, client: Client, commands: Commands) -> None:
        self._client = client
        self._commands = commands

    # -- for the session ----------------------------------------------------------------------------------------

    def send(self, data: bytes, receipt: Receipt, /) -> bool:
        """Post a message, or send anything else as a frame."""
        if receipt.kind in POSTED:
            return self._commands.post(data, receipt)
        return self.websocket.send(data, receipt)

    def close(self, code: int = 1000) -> None:
        """Begin the closing handshake; the commands end with it."""
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
        self._commands.connection.limit_reading(bytes_per_s)
        self.websocket.limit_reading(bytes_per_s)

    def silence(self) -> None:
        """Stop reading and sending on both, keeping the sockets."""
        self._drop(HttpConnection.silence)
        self.websocket.silence()

    @property
    def socket(self) -> Sockets:
        """Both sockets, as one."""
        return Sockets([self.websocket.socket, self._commands.connection.socket])

    def _drop(self, how: Callable[[HttpConnection], None]) -> None:
        self._commands.drop()
        how(self._commands.connection)

    # -- what the WebSocket tells -------------------------------------------------------------------------------

    def opened(self, sent: int, when: Arrival) -> None:
        """The upgrade was accepted."""
        self._commands.warm()
        self._client.opened(sent, when)

    def refused(self, why: Refusal, sent: int, when: Arrival) -> None:
        """It did not open."""
        self._client.refused(why, sent, when)

    def received(self, data: bytes, when: Arrival) -> None:
        """A whole message came."""
        self._client.received(data, when)

    def ponged(self, pong: Pong, when: Arrival | None) -> None:
        """A keepalive ping has ended."""
        self._client.ponged(pong, when)

    def closed(self, end: Ending, when: Arrival) -> None:
        """The WebSocket is no more: nor are the commands, unless they are being held in silence."""
        if not self._commands.is_over:
            self._drop(HttpConnection.close)
        self._client.closed(end, when)
