"""What a session holds while it is open: a WebSocket, or a pattern's conversation that behaves like one.

Interfaces only. One conversation may rest on several TCP connections, so what breaks it on purpose
acts on all of them: a client that walks out of the radio cell does not leave one of its connections behind.
"""

from typing import Any, Protocol

from ...auth import Entry
from ...record.row import Outcome
from ...transport.events import Arrival, Ending, Pong, Refusal
from ...wire import Dialect
from ...wire.signal import Signal
from ..receipts import Receipt

PATTERNS = ("websocket", "polling", "hybrid")
"""How the clients of a scenario talk."""


class Conversation(Protocol):
    """An open conversation, or one that is being opened."""

    @property
    def socket(self) -> Any:
        """Its socket, or a stand-in for all of them that takes `setsockopt`."""

    def send(self, data: bytes, message: Receipt, /) -> bool:
        """Send one intent; False when it is not open and nothing was sent."""

    def close(self, code: int = 1000) -> None:
        """Begin an orderly end."""

    def reset(self) -> None:
        """Break every connection with a TCP reset, at once."""

    def half_close(self) -> None:
        """End our half of every stream with a FIN and no farewell."""

    def limit_reading(self, bytes_per_s: int | None) -> None:
        """Read at most `bytes_per_s` from each connection that exists now; None: as they come again."""

    def silence(self) -> None:
        """Stop reading and sending for good, keeping the sockets; end it with `reset` later."""


class ConversationListener(Protocol):
    """Hears what happens in a conversation: a session."""

    number: int
    conn: int

    def opened(self, sent: int, when: Arrival, flags: int = 0) -> None:
        """It is open; `flags` says whether anything was asked for it."""

    def refused(self, why: Refusal, sent: int, when: Arrival) -> None:
        """It did not open; nothing more will come."""

    def received(self, data: bytes, when: Arrival) -> None:
        """A whole message of a WebSocket."""

    def heard(self, signal: Signal, when: Arrival, data: bytes = b"") -> None:
        """One past fact, read out of these bytes."""

    def answered(self, receipt: Receipt, outcome: Outcome, code: int, reason: str, when: Arrival | None) -> None:
        """What became of one request; ignored when it has ended before."""

    def awaits(self, receipt: Receipt) -> bool:
        """Whether anybody still waits for the answer to this request."""

    def fetched(
        self, room: int, outcome: Outcome, code: int, messages: int, due: int, sent: int, when: Arrival
    ) -> None:
        """One poll has ended."""

    def ponged(self, pong: Pong, when: Arrival | None) -> None:
        """A keepalive ping of a WebSocket has ended."""

    def closed(self, end: Ending, when: Arrival) -> None:
        """It was open and is no more; nothing more will come."""


class Pattern(Protocol):
    """How one session talks, over all its conversations."""

    dialect: Dialect
    remembers: bool
    """Whether an endpoint could remember a membership over a reconnect (`reconnect.resubscribe = false`)."""

    def forget(self) -> None:
        """A fresh session takes the place of the one before and knows nothing of what that one heard."""

    def begin(self, listener: ConversationListener, entry: Entry) -> Conversation:
        """Begin to open a conversation; `client` hears `opened` or `refused`, never from here."""
