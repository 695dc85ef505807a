"""Token buckets. Pure: the caller says what time it is."""

from typing import Protocol


class Limit(Protocol):
    """What messages, calls and connects are measured against."""

    def take(self, now_s: float) -> bool:
        """Spend one token at `now_s` (monotonic seconds); False when there is none, and then nothing is spent."""

    def wait_s(self, now_s: float) -> float:
        """After how many seconds there will be a token."""


class Bucket:
    """Lets `burst` through at once and `per_s` a second in the long run."""

    __slots__ = ("_at_s", "_tokens", "burst", "per_s")

    def __init__(self, per_s: float, burst: int, now_s: float) -> None:
        self.per_s = per_s
        self.burst = float(burst)
        self._tokens = float(burst)
        self._at_s = now_s

    def take(self, now_s: float) -> bool:
        """Spend one token at `now_s` (monotonic seconds); False when there is none, and then nothing is spent."""
        self._tokens = min(self.burst, self._tokens + (now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def wait_s(self, now_s: float) -> float:
        """After how many seconds there will be a token; 0 when there is one."""
        tokens = min(self.burst, self._tokens + (now_s - self._at_s) * self.per_s)
        return max(0.0, (1.0 - tokens) / self.per_s)


class Boundless:
    """No limit."""

    def take(self, _now_s: float) -> bool:
        """Always."""
        return True

    def wait_s(self, _now_s: float) -> float:
        """Never."""
        return 0.0
