"""Ticker: in every room one session publishes at the plan's rate, and all others only listen.

Quotes, scores, positions: fan-out from one to many. The figures to look at are `delivery`, from a tick's due time to
its arrival at each subscriber, and the ledger. The publisher is the session with the lowest number in the room; it is a
subscriber too, and receives its own ticks.
"""

from squall import NEVER, Pace, RealtimeUser, task


class TickerUser(RealtimeUser):
    """A subscriber, or the publisher of a room."""

    needs_rooms = True

    def shape(self) -> Pace:
        """The plan's shape for a publisher; a subscriber publishes nothing."""
        return super().shape() if self.led else NEVER

    @task
    def tick(self) -> None:
        """Publish one tick when it is due, in each of its rooms in turn."""
        due = self.pace()
        led = self.led
        self.publish(led[self.client.n % len(led)], self.text, due)
