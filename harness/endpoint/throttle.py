"""Token buckets. Pure: the caller passes the time."""

from typing import Protocol


class Limit(Protocol):
    """The interface of a limit on messages, calls or connects."""

    def take(self, now_s: float) -> bool:
        """Spend one token at `now_s` (monotonic seconds); False, and nothing spent, when there is none."""

    def wait_s(self, now_s: float) -> float:
        """Seconds until there is a token; 0 when there is one."""


class Bucket:
    """Lets `burst` through at once and `per_s` per second in the long run."""

    __slots__ = ("_at_s", "_tokens", "burst", "per_s")

    def __init__(self, per_s: float, burst: int, now_s: float) -> None:
        self.per_s = per_s
        self.burst = float(burst)
        self._tokens = float(burst)
        self._at_s = now_s

    def take(self, now_s: float) -> bool:
        """Spend one token at `now_s` (monotonic seconds); False, and nothing spent, when there is none."""
        self._tokens = min(self.burst, self._tokens + (now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def wait_s(self, now_s: float) -> float:
        """Seconds until there is a token; 0 when there is one."""
        tokens = min(self.burst, self._tokens + (now_s - self._at_s) * self.per_s)
        return max(0.0, (1.0 - tokens) / self.per_s)


class Boundless:
    """No limit."""

    def take(self, _now_s: float) -> bool:
        """Always True: there is no limit to spend from."""
        return True

    def wait_s(self, _now_s: float) -> float:
        """Always 0: nobody waits."""
        return 0.0
