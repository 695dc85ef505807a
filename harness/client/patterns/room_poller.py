"""One room as a polling session hears it: ask what came after the last message, again and again.

Two modes: `long` (the endpoint holds the answer until there is something) and `interval` (asked at absolute times).
The first poll only learns where the room stands (or, after an interruption, catches up from where it stopped), and
leaving is one last poll, so that what was sent before is still heard. An endpoint that answers a long poll at once with
nothing is not asked in a tight loop, but at the interval.
"""

import time
from collections.abc import Callable

from ...plan import Rest
from ...record.row import Closer, Kind, Outcome, SignalKind
from ...transport.clock import Timer
from ...transport.events import Arrival
from ...units import SECOND
from ...wire.exchange import Answer, Failure, Request
from ...wire.rest_mapping import BEGINNING, Page
from ..receipts import Receipt
from ..reconnect import asked_s
from .conversation import ConversationListener
from .rest_endpoint import Credentials, RestEndpoint

THROTTLED = (429, 503)
LONGEST_PAUSE_S = 60.0

NEVER = Arrival(0, 0, 0)

Broken = Callable[[Closer, int, str, Arrival], None]
"""Told that the conversation cannot go on: who ended it, with which code, why."""


class Poll:
    """A poll that is neither a join nor a leave; `sent` is when it left."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = 0


class RoomPoller:
    """The polls of one room; `cursors` remembers, over all conversations of a session, how far each room was heard."""

    __slots__ = (
        "_after",
        "_asked",
        "_broken",
        "_credentials",
        "_cursors",
        "_due",
        "_endpoint",
        "_listener",
        "_may_retry",
        "_plan",
        "_receipt",
        "_request",
        "_room",
        "_signed",
        "_timer",
        "connection",
        "is_over",
    )  # fmt: skip

    def __init__(
        self, endpoint: RestEndpoint, plan: Rest, listener: ConversationListener, credentials: Credentials,
        room: int, cursors: dict[int, str], broken: Broken,
    ) -> None:  # fmt: skip
        self._endpoint = endpoint
        self._plan = plan
        self._listener = listener
        self._credentials = credentials
        self._room = room
        self._cursors = cursors
        self._broken = broken
        self._receipt: Receipt | None = None
        """The join or leave that the poll in flight carries out."""
        self._timer: Timer | None = None
        self._due = 0
        self._after = ""
        """What the poll in flight asks after; "" for a first poll, which learns only where the room stands."""
        self._asked: Receipt | Poll = Poll()
        self._request: tuple[Request, int] | None = None
        """The last poll, unsigned, and how long its answer may take."""
        self._signed: Request | None = None
        self._may_retry = True
        """Whether it may be sent once more with other credentials."""
        self.connection = endpoint.connection(listener.number)
        self.is_over = False

    # -- asking -------------------------------------------------------------------------------------------------

    def join(self, receipt: Receipt) -> None:
        """The first poll: learn where the room stands, or catch up with what was missed."""
        self._receipt = receipt
        known = self._cursors.get(self._room, "") if self._plan.resume else ""
        self._ask(known, self._plan.limit if known else 0, 0.0, receipt)

    def leave(self, receipt: Receipt) -> None:
        """The last poll; one that is still being held is given up for it."""
        self._cancel()
        self._receipt = receipt
        if self.connection.is_busy:
            self._give_up()
            self.connection.close()
        self._ask(self._cursors.get(self._room, ""), self._plan.limit, 0.0, receipt)

    def _poll(self) -> None:
        self._timer = None
        wait_s = self._plan.wait_s if self._plan.mode == "long" else 0.0
        self._ask(self._cursors.get(self._room, ""), self._plan.limit, wait_s, Poll())

    def _ask(self, after: str, limit: int, wait_s: float, asked: "Receipt | Poll") -> None:
        endpoint = self._endpoint
        self._after = after
        self._asked = asked
        request = endpoint.mapping.poll(endpoint.room_names[self._room], after or BEGINNING, limit, wait_s)
        timeout_ns = endpoint.answer_timeout_ns + round(wait_s * SECOND)
        self._request = request, timeout_ns
        self._may_retry = True
        self._send()

    def _send(self) -> None:
        if self._request is not None:
            request, timeout_ns = self._request
            self._signed = self._credentials.sign(request)
            self.connection.ask(self._signed, self._heard, timeout_ns, self._asked)

    def _retry(self) -> None:
        """Send the last poll again, unless it is over or another has been sent meanwhile."""
        if not self.is_over and not self.connection.is_busy:
            self._cancel()
            self._send()

    def _is_worth_another(self, code: int) -> bool:
        """Whether a poll that was refused is sent once more, with other credentials."""
        may, self._may_retry = self._may_retry, False
        return may and self._signed is not None and self._credentials.again(self._signed, code, self._retry)

    # -- hearing ------------------------------------------------------------------------------------------------

    def _heard(self, answer: Answer | Failure, when: Arrival) -> None:
        found = self._endpoint.mapping.polled(answer, self._after) if isinstance(answer, Answer) else answer
        if isinstance(found, Page):
            self._took(found, when)
        elif isinstance(found, Failure):
            self._failed(found.outcome, found.code, found.text, "", when)
        else:
            outcome = Outcome.REJECTED if found.kind is SignalKind.ERROR else Outcome.GARBLED
            wait = answer.header("retry-after") if isinstance(answer, Answer) else ""
            self._failed(outcome, found.code, found.reason, wait, when)

    def _took(self, page: Page, when: Arrival) -> None:
        """A page came: remember how far it goes, then tell of it."""
        listener, receipt = self._listener, self._receipt
        self._credentials.accepted()
        self._cursors[self._room] = page.after
        if receipt is not None and receipt.kind is Kind.JOIN:
            self._receipt = None
            listener.answered(receipt, Outcome.OK, 0, "", when)
        else:
            listener.fetched(self._room, Outcome.OK, 200, page.messages, self._due, self._asked.sent, when)
        if self._after:  # else the page is from before our time
            for signal, frame in page.signals:
                listener.heard(signal, when, frame)
        if receipt is not None and receipt.kind is Kind.LEAVE:
            self._last(page, receipt, when)
        elif not self.is_over:
            self._go_on(page, when.read)

    def _last(self, page: Page, receipt: Receipt, when: Arrival) -> None:
        """What the last poll brought; where it was cut short, one more."""
        if self.is_over:
            return
        if page.messages >= self._plan.limit:
            self._ask(page.after, self._plan.limit, 0.0, Poll())
            return
        self.close()
        self._cursors.pop(self._room, None)  # a session that comes back after leaving starts from the beginning
        self._listener.answered(receipt, Outcome.OK, 0, "", when)

    def _go_on(self, page: Page, now: int) -> None:
        """Ask again: at once when there may be more, at the next time otherwise."""
        every_ns = round(self._plan.every_s * SECOND)
        is_long = self._plan.mode == "long"
        if page.messages >= self._plan.limit or (is_long and (page.messages or not isinstance(self._asked, Poll))):
            self._again(now)
        elif is_long:
            self._again(max(now, self._asked.sent + every_ns))
        else:
            base = self._due or now
            self._due = base + every_ns * max(1, -((base - now) // every_ns))
            self._again(self._due)

    def _again(self, at: int) -> None:
        self._cancel()
        self._timer = self._endpoint.sockets.clock.at(at, self._poll)

    # -- failing ------------------------------------------------------------------------------------------------

    def _failed(self, outcome: Outcome, code: int, reason: str, retry_after: str, when: Arrival) -> None:
        """A poll brought nothing: record it; wait where the endpoint says so, break off where it cannot go on."""
        listener, receipt = self._listener, self._receipt
        came = when if outcome in (Outcome.REJECTED, Outcome.GARBLED) else None
        if receipt is None or receipt.kind is Kind.LEAVE:
            listener.fetched(self._room, outcome, code, 0, self._due, self._asked.sent, came or NEVER)
        if outcome is Outcome.REJECTED and self._is_worth_another(code):
            return
        throttled = outcome is Outcome.REJECTED and code in THROTTLED
        if throttled and (receipt is None or (receipt.kind is Kind.LEAVE and listener.awaits(receipt))):
            self._due = 0
            self._cancel()
            wait_ns = pause_ns(retry_after, self._plan.every_s)
            self._timer = self._endpoint.sockets.clock.at(
                when.read + wait_ns, self._poll if receipt is None else self._retry
            )
            return
        if receipt is not None:
            self.close()
            if receipt.kind is Kind.LEAVE:
                self._cursors.pop(self._room, None)
            listener.answered(receipt, outcome, code, reason, came)
            if outcome in (Outcome.REJECTED, Outcome.EXPIRED):
                return  # the conversation is as good as before: the caller may ask again
        if outcome is Outcome.REJECTED:
            self._broken(Closer.ENDPOINT, code, reason, when)
        elif outcome is Outcome.GARBLED:
            self._broken(Closer.GARBLED, code, reason, when)
        elif outcome is Outcome.EXPIRED:
            self._broken(Closer.SILENT, 1006, "a poll was not answered in time", when)
        else:
            self._broken(Closer.RESET if code else Closer.FIN, code or 1006, reason, when)

    # -- ending -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Ask no more."""
        self.stop()
        self.connection.close()

    def stop(self) -> None:
        """Stop polling, and leave the connection to the fault that breaks it."""
        if self.connection.is_busy:
            self._give_up()
        self.is_over = True
        self._receipt = None
        self._cancel()

    def _give_up(self) -> None:
        """A poll that was sent is a request, even when nobody waits for its answer any more."""
        asked, self._asked = self._asked, Poll()
        if isinstance(asked, Poll) and asked.sent:
            self._listener.fetched(self._room, Outcome.ABANDONED, 0, 0, self._due, asked.sent, NEVER)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def pause_ns(retry_after: str, every_s: float) -> int:
    """How long an endpoint that throttles polls wants to be left alone (RFC 9110 10.2.3): at least its interval."""
    wanted_s = min(LONGEST_PAUSE_S, asked_s(retry_after, time.time()) or 0.0)
    return round(max(every_s, wanted_s) * SECOND)
