"""What a client needs to know: the context of the run, which all clients of a process share, and its owner.

Interfaces and the states of a client's life; nothing here does anything. The generator is the run
context, a user the owner.
"""

import random
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from ..plan import Reconnect
from ..record.recorder import Recorder
from ..transport.clock import Agenda

if TYPE_CHECKING:
    from .lifecycle import Client


class RunContext(Protocol):
    """What all clients of one process share: the clock, the policy, and when sessions come and go."""

    @property
    def clock(self) -> Agenda:
        """Where waiting is done."""

    @property
    def recorder(self) -> Recorder:
        """Where what was lost and came back is written."""

    @property
    def chance(self) -> random.Random:
        """For jitter."""

    @property
    def policy(self) -> Reconnect:
        """When to come back."""

    @property
    def is_loading(self) -> bool:
        """Whether sessions should still be kept up."""

    @property
    def is_departing(self) -> bool:
        """Whether all sessions have been asked to leave."""

    def seat_ns(self, number: int, life: int) -> tuple[int, int | None, int]:
        """The life-th session on a seat: when it is due to open, when to depart (None: never), and from when on its
        messages count.
        """


class ClientOwner(Protocol):
    """Who owns the client and knows what it is to do; `has_paced`: it hands out messages when they are due."""

    has_paced: bool

    def connected(self, client: "Client") -> None:
        """It has opened: join rooms here."""

    def joined(self, client: "Client", room: int) -> None:
        """It has become a member."""

    def disconnected(self, client: "Client") -> None:
        """Its connection has ended."""


class State(IntEnum):
    """Where a client stands."""

    WAITING = 0
    """Not yet due to open."""
    OPENING = 1
    """On its way to being open, until the owner has been asked what it wants."""
    OPEN = 2
    """Open, and not yet a member of all that it asked for."""
    READY = 3
    AWAY = 4
    """Between two tries."""
    LEAVING = 5
    GONE = 6
    """It will not come back by itself: given up, departed, or the load is over."""
