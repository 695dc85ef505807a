"""Polling: a session that posts what it says and polls what it hears, by REST alone.

It behaves like a WebSocket conversation. Open: the connection for posts stands (nothing is asked: IMPLICIT). Join:
the first poll of the room. A poll that fails for good ends the conversation, so that the session's own reconnecting
(backoff, outcome, time to recover) serves this pattern too. The next conversation asks after what the last one heard,
so nothing is lost to the interruption.
"""

from ...auth import Entry
from ...plan import Rest
from ...record.row import Closer, Flag, Kind, Outcome
from ...transport.events import Arrival, Ending, Refusal
from ...transport.http_connection import HttpConnection
from ...wire import Dialect
from ...wire.exchange import Failure
from ...wire.rest_mapping import Polled
from ..receipts import Receipt
from .conversation import ConversationListener
from .request_queue import RequestQueue
from .rest_endpoint import Credentials, RestEndpoint
from .room_poller import RoomPoller
from .socket_group import SocketGroup


class Polling:
    """The pattern of one session: what it remembers between two conversations is how far it has heard each room."""

    __slots__ = ("_cursors", "_endpoint", "_nonce", "_plan", "dialect", "remembers")

    def __init__(self, endpoint: RestEndpoint, plan: Rest, dialect: Dialect, nonce: str) -> None:
        self.remembers = False
        self.dialect: Dialect = Polled(dialect, endpoint.mapping)
        self._endpoint = endpoint
        self._plan = plan
        self._nonce = nonce
        self._cursors: dict[int, str] = {}

    def forget(self) -> None:
        """Start every room from its beginning."""
        self._cursors = {}

    def begin(self, listener: ConversationListener, entry: Entry) -> "PollingConversation":
        """Begin to open."""
        conversation = PollingConversation(self._endpoint, self._plan, listener, self._nonce, self._cursors)
        conversation.connect()
        return conversation


class PollingConversation:
    """One conversation, from its first connection to its end."""

    __slots__ = (
        "_began",
        "_credentials",
        "_cursors",
        "_endpoint",
        "_is_open",
        "_is_over",
        "_listener",
        "_plan",
        "_pollers",
        "_posts",
    )  # fmt: skip

    def __init__(
        self, endpoint: RestEndpoint, plan: Rest, listener: ConversationListener, nonce: str, cursors: dict[int, str]
    ) -> None:
        self._endpoint = endpoint
        self._plan = plan
        self._listener = listener
        self._cursors = cursors
        self._credentials = Credentials(endpoint, listener.number, listener.conn)
        self._posts = RequestQueue(endpoint, listener, self._credentials, nonce)
        self._pollers: dict[int, RoomPoller] = {}
        self._began = 0
        self._is_open = False
        self._is_over = False

    # -- for the session ----------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Begin to open; the client hears `opened` or `refused`, never from here."""
        self._began = self._endpoint.sockets.clock.now()
        self._posts.connection.dial(self._dialled, self._endpoint.open_timeout_ns)

    def _dialled(self, failure: Failure | None, sent: int, when: Arrival) -> None:
        if failure is None:
            self._is_open = True
            self._listener.opened(sent, when, Flag.IMPLICIT)
        else:
            self._is_over = True
            self._listener.refused(Refusal(failure.outcome, failure.code, failure.text), sent, when)

    def send(self, data: bytes, receipt: Receipt, /) -> bool:
        """Post, or poll for the first or the last time."""
        if self._is_over:
            return False
        if receipt.kind is Kind.JOIN:
            self._join(receipt)
        elif receipt.kind is Kind.LEAVE:
            self._leave(receipt)
        else:
            self._posts.post(data, receipt)
        return True

    def _join(self, receipt: Receipt) -> None:
        poller = self._pollers.get(receipt.room)
        if poller is not None and not poller.is_over:
            poller.close()
        poller = RoomPoller(
            self._endpoint, self._plan, self._listener, self._credentials, receipt.room, self._cursors, self._break_off
        )  # fmt: skip
        self._pollers[receipt.room] = poller
        poller.join(receipt)

    def _leave(self, receipt: Receipt) -> None:
        poller = self._pollers.pop(receipt.room, None)
        if poller is None or poller.is_over:
            now = self._endpoint.sockets.clock.now()
            self._listener.answered(receipt, Outcome.OK, 0, "", Arrival(now, now, 0))
            return
        # Kept until it is over, so that an end of the conversation ends it too.
        self._pollers[receipt.room] = poller
        poller.leave(receipt)

    # -- ending -------------------------------------------------------------------------------------------------

    def close(self, code: int = 1000) -> None:
        """End every connection in good order; there is no farewell to wait for."""
        for connection in self._stop():
            connection.close()
        self._tell(Closer.US, code, "", Outcome.OK)

    def reset(self) -> None:
        """Break every connection with a TCP reset."""
        for connection in self._stop():
            connection.reset()
        self._tell(Closer.US, 1006, "reset by us", Outcome.CLOSED)

    def half_close(self) -> None:
        """End our half of every stream with a FIN."""
        for connection in self._stop():
            connection.half_close()
        self._tell(Closer.US, 1006, "ended by us", Outcome.CLOSED)

    def limit_reading(self, bytes_per_s: int | None) -> None:
        """Limit every connection, each by itself."""
        for connection in self._connections():
            connection.limit_reading(bytes_per_s)

    def silence(self) -> None:
        """Stop reading and sending, keeping the sockets."""
        for connection in self._stop():
            connection.silence()
        self._tell(Closer.US, 1006, "silenced by us", Outcome.CLOSED)

    @property
    def socket(self) -> SocketGroup:
        """All its sockets, as one."""
        return SocketGroup(each.socket for each in self._connections())

    def _connections(self) -> list[HttpConnection]:
        return [self._posts.connection, *(poller.connection for poller in self._pollers.values())]

    def _stop(self) -> list[HttpConnection]:
        for poller in self._pollers.values():
            poller.stop()
        self._posts.drop()
        return self._connections()

    def _break_off(self, closer: Closer, code: int, reason: str, when: Arrival) -> None:
        """A poll failed for good."""
        for connection in self._stop():
            connection.close()
        self._tell(closer, code, reason, Outcome.CLOSED, when)

    def _tell(self, closer: Closer, code: int, reason: str, outcome: Outcome, when: Arrival | None = None) -> None:
        if self._is_over:
            return
        self._is_over = True
        now = self._endpoint.sockets.clock.now()
        when = when or Arrival(now, now, 0)
        if self._is_open:
            began = now if closer is Closer.US else 0
            self._listener.closed(Ending(closer, code, reason, outcome, began), when)
        else:
            self._listener.refused(Refusal(Outcome.ABANDONED, 0, reason or "given up by us"), self._began, when)
