"""What a dialect is: the pure mapping between our intents and the frames of one protocol.

Dialects implement it, sessions use it; no sockets, no clocks. `decode` never raises, because what the endpoint sends is
evidence, not our failure; whatever does not follow the protocol becomes one GARBLED signal.
"""

from typing import Literal, Protocol

from msgspec import Struct

from ..record.row import SignalKind
from .ids import connection_key
from .signal import Signal
from .taken import Taken

REASON_CHARS = 200
"""How much of an endpoint's text a signal keeps."""


class Message(Struct, frozen=True, gc=False):
    """Everything that a frame of ours may contain.

    `id` is the correlation id, `seq` the number in it, `room` the room's name, `sender` the client's name, `session`
    its number, `conn` the number of its connection (0 = first), `timestamp_ms` wall-clock milliseconds.
    """

    id: str = ""
    seq: int = 0
    room: str = ""
    text: str = ""
    sender: str = ""
    session: int = 0
    conn: int = 0
    timestamp_ms: int = 0

    @property
    def key(self) -> str:
        """The name of this connection."""
        return connection_key(self.sender, self.conn)


class Dialect(Protocol):
    """One protocol. Stateless: one instance serves every session.

    `acks` says how a publish is confirmed: by a frame of its own, by the sender's own delivery, or not at all.
    `joins`, `leaves` and `pings` say whether the protocol has that intent; encoding one that it lacks raises
    ValueError.
    """

    acks: Literal["frame", "delivery", "none"]
    joins: bool
    leaves: bool
    pings: bool
    plain_ids: bool
    """Whether a message may go by its number alone: otherwise a plain number is an id of the endpoint's own."""

    def join(self, message: Message) -> bytes:
        """The frame that joins `message.room`."""
        ...

    def leave(self, message: Message) -> bytes:
        """The frame that leaves `message.room`."""
        ...

    def publish(self, message: Message) -> bytes:
        """The frame that sends `message.text` to `message.room`."""
        ...

    def ping(self, message: Message) -> bytes:
        """The frame of an application-level ping."""
        ...

    def decode(self, data: bytes) -> tuple[Signal, ...]:
        """The signals in one received frame; never raises, never empty."""
        ...

    def explain(self, data: bytes) -> tuple[Taken, ...]:
        """What `decode` takes the parts of a frame for, and why not for anything else; never raises, never empty."""
        ...


def garbled(reason: str) -> tuple[Signal, ...]:
    """The one signal for a frame that does not follow the protocol."""
    return (Signal(SignalKind.GARBLED, reason=reason[:REASON_CHARS]),)
