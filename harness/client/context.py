"""What all sessions of one process share: the plan, the clock, where to record, how to connect, who sent what.

What sessions would each hold a copy of is here once (room names, connection options), since ten thousand copies are
megabytes.
"""

from dataclasses import dataclass, field

from ..auth import Access, Entry
from ..plan import Plan
from ..record.recorder import Recorder
from ..transport.clock import Clock
from ..transport.events import Listener
from ..transport.options import Options
from ..transport.sockets import Sockets
from ..transport.websocket import WebSocket
from ..units import SECOND
from ..wire import Dialect
from ..wire.ids import Senders
from ..wire.texts import Texts
from .frame_cache import FrameCache
from .patterns.conversation import Pattern
from .patterns.hybrid import Hybrid
from .patterns.polling import Polling
from .patterns.rest_endpoint import RestEndpoint, make_rest_endpoint
from .session_log import SessionLog, StatsMirror
from .tally import Tally
from .unrecognised import Unrecognised


@dataclass(slots=True)
class Context:
    """What all sessions of one process share.

    Args:
        mirror: None: no copy of what is measured is wanted.
    """

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
    room_names: list[str] = field(init=False)
    """By the number of the room; empty where the plan has no rooms."""
    log: SessionLog = field(init=False)
    frames: FrameCache = field(init=False)
    """Shared by all patterns, which all read frames by one dialect."""
    texts: Texts = field(init=False)
    senders: Senders = field(init=False)
    answer_timeout_ns: int = field(init=False)
    answers_in_order: bool = field(init=False)
    """Whether an answer that names no request belongs to the oldest open one."""
    _rest_endpoint: RestEndpoint | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        load = self.plan.load
        self.room_names = [load.name_of(room) for room in range(load.room_count)]
        room_numbers: dict[str | None, int] = {name: number for number, name in enumerate(self.room_names)}
        unrecognised = Unrecognised(self.recorder, self.nonce, self.dialect.explain)
        self.log = SessionLog(self.recorder, self.tally, room_numbers, self.mirror, unrecognised)
        self.frames = FrameCache()
        posts_numbers = "{seq}" in str(self.plan.endpoint.rest.body)
        self.texts = Texts(self.plan.seed, load.payload_bytes)
        self.senders = Senders(self.nonce, load.sessions, self.dialect.plain_ids or posts_numbers, self.texts)
        self.answer_timeout_ns = round(self.plan.endpoint.answer_timeout_s * SECOND)
        self.answers_in_order = self.plan.endpoint.order == "fifo"

    def connect(self, listener: Listener, number: int, entry: Entry) -> WebSocket:
        """Begin a WebSocket of session `number`."""
        connection = WebSocket(self.sockets, listener, self.options)
        connection.connect(number, entry.uri, entry.headers, entry.subprotocols)
        return connection

    def pattern(self, name: str) -> Pattern | None:
        """How a new session talks; None: by a WebSocket alone.

        Raises:
            PlanError, RunFailed, UsageError: what the plan says of the REST side cannot be used.
        """
        if name == "websocket":
            return None
        endpoint = self.plan.endpoint
        if self._rest_endpoint is None:
            self._rest_endpoint = make_rest_endpoint(
                endpoint, self.dialect, self.sockets, self.access, self.options, self.room_names
            )
        if name == "hybrid":
            return Hybrid(self._rest_endpoint, self.dialect, self.nonce, self.connect)
        return Polling(self._rest_endpoint, endpoint.rest, self.dialect, self.nonce)
