"""The frame that was read last, and what it says: the members of a room hear the same frame, one after another."""

from ..wire.signal import Signal


class FrameCache:
    """One per process. Sessions compare and keep by themselves: a call costs more than half of what it would save."""

    __slots__ = ("beyond", "data", "signals")

    def __init__(self) -> None:
        self.data: bytes | None = None
        """The last frame; None before the first."""
        self.signals: tuple[Signal, ...] = ()
        """What it says, by the one dialect that all patterns read by."""
        self.beyond: tuple[tuple[int, int], ...] = ()
        """The messages of the run that it names and that were not read, as (sender, number)."""
