"""A server that sends every text back to its sender: the simplest possible endpoint.

A message is `ID TEXT`, and its echo is its answer and its only delivery. There are no rooms, joins or pings. A plan
gives each session a room of its own: `[load.room_sizes] sizes = "own"`.
"""

from typing import Literal

from ...plan.endpoint import Endpoint
from ...record.row import SignalKind
from ..dialect import Message, garbled
from ..registry import dialect
from ..signal import Signal
from ..taken import Taken, taken_as_read


class EchoDialect:
    """Plain text; the sender's own delivery confirms a message."""

    acks: Literal["frame", "delivery", "none"] = "delivery"
    joins = False
    leaves = False
    pings = False
    plain_ids = False

    def join(self, message: Message) -> bytes:
        """Raises ValueError: an echo has no rooms."""
        raise ValueError("echo has no joins")

    def leave(self, message: Message) -> bytes:
        """Raises ValueError: an echo has no rooms."""
        raise ValueError("echo has no leaves")

    def publish(self, message: Message) -> bytes:
        """The id, a space, and the text."""
        return f"{message.id} {message.text}".encode()

    def ping(self, message: Message) -> bytes:
        """Raises ValueError: an echo has no pings."""
        raise ValueError("echo has no pings")

    def decode(self, data: bytes) -> tuple[Signal, ...]:
        """One delivery, whose id is the first word; GARBLED without a second word or for what is not UTF-8."""
        name, space, text = data.partition(b" ")
        if not space:
            return garbled("an echo with no id")
        try:
            return (Signal(SignalKind.DELIVERY, name.decode(), text=text.decode("utf-8", "replace")),)
        except UnicodeDecodeError:
            return garbled("an echo whose id is not UTF-8")

    def explain(self, data: bytes) -> tuple[Taken, ...]:
        """A delivery with its id, or why it is none."""
        return taken_as_read(self.decode(data))


@dialect("echo", needs_room=lambda _: False)
def make_echo(_endpoint: Endpoint) -> EchoDialect:
    """Make the dialect; the plan has no keys for it."""
    return EchoDialect()
