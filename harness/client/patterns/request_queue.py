"""Commands: one session's posts, one after the other on one kept connection, each answered by its HTTP answer.

For the patterns that post. It must not know what a post says. The subtle thing: one connection and one request at a
time keep the sender's order, which an endpoint may have promised; what is due meanwhile waits in a queue, and that
waiting is the endpoint's doing, not ours: such a receipt is flagged WAITED and left out of our own lag.
"""

from collections import deque

from ...record.row import Flag, Outcome, SignalKind
from ...transport.events import Arrival
from ...transport.http import HttpConnection
from ...wire.exchange import Answer, Failure, Request
from ...wire.ids import message_id, session_name
from ..receipts import Receipt
from .conversation import Client
from .rest_endpoint import REFUSALS, Credentials, Origin

OUTCOMES = {SignalKind.ACK: Outcome.OK, SignalKind.ERROR: Outcome.REJECTED, SignalKind.GARBLED: Outcome.GARBLED}


class Commands:
    """The posts of one conversation."""

    __slots__ = ("_client", "_credentials", "_is_held", "_name", "_origin", "_queue", "connection", "is_over")

    def __init__(self, origin: Origin, client: Client, credentials: Credentials, nonce: str) -> None:
        self._origin = origin
        self._client = client
        self._credentials = credentials
        self._name = session_name(nonce, client.number)
        self._queue: deque[tuple[Request, Receipt]] = deque()
        self.connection: HttpConnection = origin.connection(client.number)
        self._is_held = False
        """Whether the oldest post waits for other credentials, and all others behind it."""
        self.is_over = False
        """Whether it was dropped."""

    def post(self, body: bytes, receipt: Receipt) -> bool:
        """Post one body to the receipt's room, at once or as soon as those before it are answered."""
        if self.is_over:
            return False
        origin = self._origin
        request = origin.rest.post(origin.room_names[receipt.room], body)
        if self.connection.is_busy or self._is_held:
            receipt.flags |= Flag.WAITED
            self._queue.append((request, receipt))
        else:
            if not self.connection.is_connected:
                receipt.flags |= Flag.WAITED
            self._ask(request, receipt)
        return True

    def warm(self) -> None:
        """Connect ahead of the first post; whether it works shows when one is sent."""
        if not self.connection.is_busy and not self.connection.is_connected:
            self.connection.dial(lambda failure, sent, when: self._next(), self._origin.open_timeout_ns)

    def _ask(self, request: Request, receipt: Receipt, *, again: bool = True) -> None:
        """Send it; `again`: it may be sent once more with other credentials (who is refused has done nothing)."""
        signed = self._credentials.sign(request)

        def once_more() -> None:
            self._is_held = False
            if not self.is_over and self._client.awaits(receipt):
                receipt.flags |= Flag.WAITED
                self._ask(request, receipt, again=False)
            else:
                self._next()

        def heard(answer: Answer | Failure, when: Arrival) -> None:
            if isinstance(answer, Answer):
                if again and self._credentials.again(signed, answer.status, once_more):
                    self._is_held = True
                    return
                if answer.status not in REFUSALS:
                    self._credentials.accepted()
            self._heard(receipt, answer, when)

        self.connection.ask(
            signed, heard, self._origin.answer_timeout_ns, receipt, lambda: self._client.awaits(receipt)
        )

    def _heard(self, receipt: Receipt, answer: Answer | Failure, when: Arrival) -> None:
        client = self._client
        if isinstance(answer, Failure):
            # What got no answer has no arrival, but garbage has one.
            came = when if answer.outcome is Outcome.GARBLED else None
            client.answered(receipt, answer.outcome, answer.code, answer.text, came)
        else:
            signal = self._origin.rest.posted(message_id(self._name, receipt.seq), answer)
            client.answered(receipt, OUTCOMES[signal.kind], signal.code, signal.reason, when)
        self._next()

    def _next(self) -> None:
        """The connection is free: send the oldest that somebody still waits for."""
        while self._queue and not self.connection.is_busy and not self._is_held:
            request, receipt = self._queue.popleft()
            if self._client.awaits(receipt):
                self._ask(request, receipt)

    def drop(self) -> None:
        """Forget what is queued: the conversation is over."""
        self.is_over = True
        self._queue.clear()
