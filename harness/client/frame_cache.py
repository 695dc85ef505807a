"""The frame that was read last, and what it says: the members of a room hear the same frame, one after another."""

from ..wire import Dialect
from ..wire.signal import Signal


class FrameCache:
    """One per process. The caller compares `data` itself, since a call would cost what the comparison saves."""

    __slots__ = ("_dialect", "data", "signals")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.data: bytes | None = None
        """None before the first frame."""
        self.signals: tuple[Signal, ...] = ()

    def read(self, data: bytes) -> tuple[Signal, ...]:
        """Decode a frame that is not the last one, and keep it."""
        signals = self._dialect.decode(data)
        self.data, self.signals = data, signals
        return signals
