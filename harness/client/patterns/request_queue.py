"""The request queue: one session's posts, one after the other on one kept connection, each answered by its HTTP answer.

One connection and one request at a time keep the sender's order, which an endpoint may have promised. What is due
meanwhile waits in the queue. The endpoint causes that wait, so such a receipt is flagged WAITED and left out of our
own send delay.
"""

from collections import deque

from ...record.row import Flag, Outcome, SignalKind
from ...transport.events import Arrival
from ...transport.http_connection import HttpConnection
from ...wire.exchange import Answer, Failure, Request
from ...wire.ids import message_id, session_name
from ..receipts import Receipt
from .conversation import ConversationListener
from .rest_endpoint import REFUSALS, Credentials, RestEndpoint

OUTCOMES = {SignalKind.ACK: Outcome.OK, SignalKind.ERROR: Outcome.REJECTED, SignalKind.GARBLED: Outcome.GARBLED}


class RequestQueue:
    """The posts of one conversation."""

    __slots__ = ("_credentials", "_endpoint", "_is_held", "_listener", "_name", "_queue", "connection", "is_over")

    def __init__(
        self, endpoint: RestEndpoint, listener: ConversationListener, credentials: Credentials, nonce: str
    ) -> None:
        self._endpoint = endpoint
        self._listener = listener
        self._credentials = credentials
        self._name = session_name(nonce, listener.number)
        self._queue: deque[tuple[Request, Receipt]] = deque()
        self.connection: HttpConnection = endpoint.connection(listener.number)
        self._is_held = False
        """Whether the oldest post waits for other credentials, and all others behind it."""
        self.is_over = False
        """Whether it was dropped."""

    def post(self, body: bytes, receipt: Receipt) -> bool:
        """Post one body to the receipt's room, at once or as soon as those before it are answered."""
        if self.is_over:
            return False
        endpoint = self._endpoint
        request = endpoint.mapping.post(endpoint.room_names[receipt.room], body)
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
            self.connection.dial(lambda failure, sent, when: self._next(), self._endpoint.open_timeout_ns)

    def _ask(self, request: Request, receipt: Receipt, *, again: bool = True) -> None:
        """Send it; `again`: it may be sent once more with other credentials (who is refused has done nothing)."""
        signed = self._credentials.sign(request)

        def once_more() -> None:
            self._is_held = False
            if not self.is_over and self._listener.awaits(receipt):
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
            signed, heard, self._endpoint.answer_timeout_ns, receipt, lambda: self._listener.awaits(receipt)
        )

    def _heard(self, receipt: Receipt, answer: Answer | Failure, when: Arrival) -> None:
        listener = self._listener
        if isinstance(answer, Failure):
            # What got no answer has no arrival, but garbage has one.
            came = when if answer.outcome is Outcome.GARBLED else None
            listener.answered(receipt, answer.outcome, answer.code, answer.text, came)
        else:
            signal = self._endpoint.mapping.posted(message_id(self._name, receipt.seq), answer)
            listener.answered(receipt, OUTCOMES[signal.kind], signal.code, signal.reason, when)
        self._next()

    def _next(self) -> None:
        """The connection is free: send the oldest that somebody still waits for."""
        while self._queue and not self.connection.is_busy and not self._is_held:
            request, receipt = self._queue.popleft()
            if self._listener.awaits(receipt):
                self._ask(request, receipt)

    def drop(self) -> None:
        """Forget what is queued: the conversation is over."""
        self.is_over = True
        self._queue.clear()
