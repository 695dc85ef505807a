"""Ticker: in every room one session publishes at the plan's rate, and all the others only listen.

Quotes, scores, positions: fan-out from one to many. What counts is `delivery`, from the moment a tick was due to its
arrival at each subscriber, and the ledger. The publisher is the room's session with the lowest number; it subscribes,
too, so that it sees what it said.
"""

from squall import NEVER, Pace, RealtimeUser, task


class TickerUser(RealtimeUser):
    """A subscriber, or the one who publishes."""

    needs_rooms = True

    def shape(self) -> Pace:
        """The plan's for a publisher; a subscriber says nothing."""
        return super().shape() if self.led else NEVER

    @task
    def tick(self) -> None:
        """One tick when it is due; who publishes in several rooms does so in turn."""
        due = self.pace()
        led = self.led
        self.publish(led[self.client.n % len(led)], self.text, due)
