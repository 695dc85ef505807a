"""Polling: a session that posts what it says and polls what it hears, by REST alone.

It behaves like a WebSocket conversation. Open: the connection for commands stands (nothing is asked: IMPLICIT). Join:
the first poll of the room. It must not know when anything is due. The subtle thing: a poll that fails for good ends the
conversation, so that the session's own reconnecting (backoff, outcome, time to recover) serves this pattern too; the
next conversation asks after what the last one heard, so nothing is lost to the interruption.
"""

from ...auth import Entry
from ...plan import Rest
from ...record.row import Closer, Flag, Kind, Outcome
from ...transport.events import Arrival, Ending, Refusal
from ...transport.http import HttpConnection
from ...wire import Dialect
from ...wire.exchange import Failure
from ...wire.rest import Polled
from ..receipts import Receipt
from .conversation import Client
from .request_queue import Commands
from .rest_endpoint import Credentials, Origin
from .room_poller import Feed
from .socket_group import Sockets


class Polling:
    """The pattern of one session: what it remembers between two conversations is how far it has heard each room."""

    __slots__ = ("_cursors", "_nonce", "_origin", "_plan", "dialect", "remembers")

    def __init__(self, origin: Origin, plan: Rest, dialect: Dialect, nonce: str) -> None:
        self.remembers = False
        self.dialect: Dialect = Polled(dialect, origin.rest)
        self._origin = origin
        self._plan = plan
        self._nonce = nonce
        self._cursors: dict[int, str] = {}

    def forget(self) -> None:
        """Begin every room anew."""
        self._cursors = {}

    def begin(self, client: Client, entry: Entry) -> "PollingConversation":
        """Begin to open."""
        conversation = PollingConversation(self._origin, self._plan, client, self._nonce, self._cursors)
        conversation.connect()
        return conversation


class PollingConversation:
    """One conversation, from its first connection to its end."""

    __slots__ = (
        "_began", "_client", "_commands", "_credentials", "_cursors", "_feeds", "_is_open", "_is_over", "_origin",
        "_plan",
    )  # fmt: skip

    def __init__(self, origin: Origin, plan: Rest, client: Client, nonce: str, cursors: dict[int, str]) -> None:
        self._origin = origin
        self._plan = plan
        self._client = client
        self._cursors = cursors
        self._credentials = Credentials(origin, client.number, client.conn)
        self._commands = Commands(origin, client, self._credentials, nonce)
        self._feeds: dict[int, Feed] = {}
        self._began = 0
        self._is_open = False
        self._is_over = False

    # -- for the session ----------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Begin to open; the client hears `opened` or `refused`, never from here."""
        self._began = self._origin.sockets.clock.now()
        self._commands.connection.dial(self._dialled, self._origin.open_timeout_ns)

    def _dialled(self, failure: Failure | None, sent: int, when: Arrival) -> None:
        if failure is None:
            self._is_open = True
            self._client.opened(sent, when, Flag.IMPLICIT)
        else:
            self._is_over = True
            self._client.refused(Refusal(failure.outcome, failure.code, failure.text), sent, when)

    def send(self, data: bytes, receipt: Receipt, /) -> bool:
        """Post, or poll for the first or the last time."""
        if self._is_over:
            return False
        if receipt.kind is Kind.JOIN:
            self._join(receipt)
        elif receipt.kind is Kind.LEAVE:
            self._leave(receipt)
        else:
            self._commands.post(data, receipt)
        return True

    def _join(self, receipt: Receipt) -> None:
        feed = self._feeds.get(receipt.room)
        if feed is not None and not feed.is_over:
            feed.close()
        feed = Feed(
            self._origin, self._plan, self._client, self._credentials, receipt.room, self._cursors, self._break_off
        )  # fmt: skip
        self._feeds[receipt.room] = feed
        feed.join(receipt)

    def _leave(self, receipt: Receipt) -> None:
        feed = self._feeds.pop(receipt.room, None)
        if feed is None or feed.is_over:
            now = self._origin.sockets.clock.now()
            self._client.answered(receipt, Outcome.OK, 0, "", Arrival(now, now, 0))
            return
        # Kept until it is over, so that an end of the conversation ends it too.
        self._feeds[receipt.room] = feed
        feed.leave(receipt)

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
    def socket(self) -> Sockets:
        """All its sockets, as one."""
        return Sockets(each.socket for each in self._connections())

    def _connections(self) -> list[HttpConnection]:
        return [self._commands.connection, *(feed.connection for feed in self._feeds.values())]

    def _stop(self) -> list[HttpConnection]:
        for feed in self._feeds.values():
            feed.stop()
        self._commands.drop()
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
        now = self._origin.sockets.clock.now()
        when = when or Arrival(now, now, 0)
        if self._is_open:
            began = now if closer is Closer.US else 0
            self._client.closed(Ending(closer, code, reason, outcome, began), when)
        else:
            self._client.refused(Refusal(Outcome.ABANDONED, 0, reason or "given up by us"), self._began, when)
