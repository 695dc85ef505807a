"""What one session has in flight: one receipt per request, matched by id, never by order.

Each receipt leaves exactly once: matched, expired, or taken when its connection ended.
"""

from collections.abc import Callable, Iterator

from msgspec import Struct

from ..record.row import NO_PEER, NO_ROOM, Kind, Outcome

Done = Callable[[Outcome, int], None]
"""Told how an operation ended: the outcome and its code."""


class Receipt(Struct, eq=False, gc=False):
    """One request: what was asked, when it was due, and when the kernel took it (0 until then)."""

    kind: Kind
    seq: int
    conn: int
    due: int
    expires: int
    room: int = NO_ROOM
    flags: int = 0
    peer: int = NO_PEER
    done: Done | None = None
    sent: int = 0


class Receipts(dict[int, Receipt]):
    """The open receipts of one session, by their numbers, in the order of their making; popping one matches it.

    A dict itself: each message puts one in and takes one out.
    """

    __slots__ = ()

    def expired(self, now_ns: int) -> Iterator[Receipt]:
        """Take those whose time is over, oldest first."""
        while self:
            receipt = next(iter(self.values()))
            if receipt.expires > now_ns:
                return
            del self[receipt.seq]
            yield receipt

    def take_all(self) -> list[Receipt]:
        """Take every one, because no answer can come any more."""
        taken = list(self.values())
        self.clear()
        return taken
