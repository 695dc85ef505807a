"""What the endpoint counts: plain integers that hot code adds to, read only when somebody scrapes them.

Nothing here locks or formats. The event loop of the process is the only writer, so an addition costs what `+= 1` costs
and a scrape sees whole numbers. `metrics.py` turns them into Prometheus metrics.
"""

from bisect import bisect_left
from collections import Counter

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency buckets, inclusive; one more bucket holds longer times."""


class Latency:
    """A histogram of durations in seconds. `counts` has one bucket more than `BOUNDS_S`; `sum_s` is the sum."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, duration_s: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_S, duration_s)] += 1
        self.sum_s += duration_s


class Counters:
    """Everything counted since the process started.

    `connects` counts upgrades; `refused` connects refused before the upgrade, by status; `disconnects` ends, by reason
    (one of a few phrases, never text from a client); `messages` client frames; `accepted` messages that got a place in
    a room; `fan_out` copies handed to a recipient, and `delivery_failures` those that could not be; `stale_cleaned`
    connections removed because they gave no sign of life; `throttled` messages and calls over a limit, by whose limit
    it was; `rejected` other refusals after the upgrade, by code; `pushed` pushes to one connection, by result; `calls`
    HTTP calls except upgrades, by method, route and status.
    `accept` runs from reading a frame to its place in the room, `deliver` from there to the last copy handed out.
    """

    __slots__ = (
        "accept",
        "accepted",
        "calls",
        "connects",
        "deliver",
        "delivery_failures",
        "disconnects",
        "fan_out",
        "messages",
        "pushed",
        "refused",
        "rejected",
        "stale_cleaned",
        "throttled",
    )

    def __init__(self) -> None:
        self.connects = 0
        self.refused: Counter[int] = Counter()
        self.disconnects: Counter[str] = Counter()
        self.messages = 0
        self.accepted = 0
        self.fan_out = 0
        self.delivery_failures = 0
        self.stale_cleaned = 0
        self.throttled: Counter[str] = Counter()
        self.rejected: Counter[int] = Counter()
        self.pushed: Counter[str] = Counter()
        self.calls: Counter[tuple[str, str, int]] = Counter()
        self.accept = Latency()
        self.deliver = Latency()
