"""What happened on a connection, as past facts, and who hears them.

Pure. Times are nanoseconds on the monotonic clock. What there is one of for each message is a msgspec struct, which
takes a quarter of the time that a NamedTuple takes to make.
"""

from typing import NamedTuple, Protocol

from msgspec import Struct

from ..record.row import Closer, Flag, Outcome

EXACT, BOUNDED = Flag.EXACT, Flag.BOUNDED


class Arrival(Struct, frozen=True, gc=False):
    """When something came, and what that time is worth."""

    arrived: int
    read: int
    flags: int


def arrival(arrived: int, read: int, exact: bool) -> Arrival:
    """Of what one read ended with; `arrived` is the kernel's stamp (0: it gave none), `exact` whether of just this."""
    return Arrival(arrived, read, EXACT if exact else BOUNDED) if arrived else Arrival(read, read, 0)


def bounded_by(when: Arrival) -> Arrival:
    """Of what came before that in the same read."""
    return Arrival(when.arrived, when.read, BOUNDED) if when.flags else when


class Refusal(NamedTuple):
    """Why a connection did not open; `code` is by outcome an HTTP status, an errno, or OpenSSL's verify code."""

    outcome: Outcome
    code: int
    text: str
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


class Ending(NamedTuple):
    """How an open connection ended. `began` is when we began to close it (0: we did not)."""

    closer: Closer
    code: int
    reason: str
    outcome: Outcome
    began: int


class Pong(NamedTuple):
    """How one keepalive ping of ours ended: `due` as planned, `sent` when it left, and whether a pong came."""

    outcome: Outcome
    code: int
    due: int
    sent: int


class Listener(Protocol):
    """Who hears what happens on a connection; called from the hub, in order."""

    def opened(self, sent: int, when: Arrival) -> None:
        """The upgrade was accepted."""

    def refused(self, why: Refusal, sent: int, when: Arrival) -> None:
        """It did not open; nothing more will come."""

    def received(self, data: bytes, when: Arrival) -> None:
        """A whole text or binary message."""

    def ponged(self, pong: Pong, when: Arrival | None) -> None:
        """A keepalive ping has ended; `when` is None where no pong came."""

    def closed(self, end: Ending, when: Arrival) -> None:
        """It was open and is no more; nothing more will come."""


class Stampable(Protocol):
    """What carries the time at which its message left."""

    sent: int
