"""What one session has in flight: one receipt per request, matched by id, never by order.

It must not know how an answer is recognised or recorded. Each receipt leaves exactly once: matched, expired, or
taken when its connection ended.
"""

from collections.abc import Callable, Iterator

from msgspec import Struct

from .model import NO_PEER, NO_ROOM, Kind, Outcome

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


class Receipts:
    """The open receipts of one session, in the order of their making."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[int, Receipt] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, receipt: Receipt) -> None:
        """Wait for the answer to this one."""
        self._open[receipt.seq] = receipt

    def match(self, seq: int) -> Receipt | None:
        """Take the receipt of this number; None when it is unknown, or answered or given up before."""
        return self._open.pop(seq, None)

    def peek(self, seq: int) -> Receipt | None:
        """Look without taking."""
        return self._open.get(seq)

    def expired(self, now_ns: int) -> Iterator[Receipt]:
        """Take those whose time is over, oldest first."""
        while self._open:
            receipt = next(iter(self._open.values()))
            if receipt.expires > now_ns:
                return
            del self._open[receipt.seq]
            yield receipt

    def take_all(self) -> list[Receipt]:
        """Take every one, because no answer can come any more."""
        taken = list(self._open.values())
        self._open.clear()
        return taken
