"""What all sessions of one process share: the plan, the clock, where to record, how to connect, who sent what.

It must not know any one session. The subtle thing: what sessions would each hold a copy of is here once (room names,
the way in), since ten thousand copies are megabytes.
"""

from dataclasses import dataclass
from typing import Protocol as Interface

from ..auth import Access, Entry
from ..plan import Plan
from ..record.recorder import Recorder
from ..record.row import Outcome
from ..transport.clock import Clock
from ..transport.events import Listener
from ..transport.options import Options
from ..transport.sockets import Sockets
from ..transport.websocket import WebSocket
from ..wire import Dialect
from ..wire.ids import Senders
from ..wire.signal import Signal
from .patterns.conversation import Pattern
from .patterns.hybrid import Hybrid
from .patterns.polling import Polling
from .patterns.rest_endpoint import Origin, make_origin
from .tally import Tally


class StatsMirror(Interface):
    """A copy of what was measured, for somebody else's statistics (Locust's web UI)."""

    def __call__(self, name: str, response_ns: int, outcome: Outcome, code: int) -> None:
        """One operation has ended."""


@dataclass(slots=True)
class Context:
    """What all sessions of one process share."""

    plan: Plan
    nonce: str
    clock: Clock
    sockets: Sockets
    recorder: Recorder
    dialect: Dialect
    access: Access
    options: Options
    tally: Tally
    mirror: StatsMirror | None = None

    def __post_init__(self) -> None:
        load = self.plan.load
        self.room_names = [load.room_name.replace("{room}", str(room)) for room in range(load.room_count)]
        self.room_numbers = {name: number for number, name in enumerate(self.room_names)}
        self.senders = Senders(self.nonce)
        self.answer_timeout_ns = round(self.plan.endpoint.answer_timeout_s * 1e9)

    def connect(self, listener: Listener, number: int, entry: Entry) -> WebSocket:
        """Begin a WebSocket of session `number`."""
        connection = WebSocket(self.sockets, listener)
        connection.connect(self.options, number, entry.uri, entry.headers, entry.subprotocols)
        return connection

    def pattern(self, name: str) -> Pattern | None:
        """How a new session talks; None: by a WebSocket alone.

        Raises:
            PlanError, RunFailed, UsageError: what the plan says of the REST side cannot be used.
        """
        if name == "websocket":
            return None
        endpoint = self.plan.endpoint
        if self.origin is None:
            self.origin = make_origin(endpoint, self.dialect, self.sockets, self.access, self.options, self.room_names)
        if name == "hybrid":
            return Hybrid(self.origin, self.dialect, self.nonce, self.connect)
        return Polling(self.origin, endpoint.rest, self.dialect, self.nonce)

    origin: Origin | None = None
    last_frame: bytes | None = None
    last_signals: tuple[Signal, ...] = ()
    """What was heard last, whoever heard it, and what it says: the members of a room hear the same, most often one
    after the other, and all patterns hear by one dialect."""
    senders: Senders = None  # type: ignore[assignment]
    room_names: list[str] = None  # type: ignore[assignment]
    room_numbers: dict[str, int] = None  # type: ignore[assignment]
    answer_timeout_ns: int = 0
