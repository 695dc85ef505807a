"""Idle: sessions open, join their rooms and publish nothing; they hold their connections and listen.

What a push service has most of the time, and the way to ask how many connections an endpoint holds, how fast it opens
them and which it closes. The rate of the plan is not used.
"""

from squall import NEVER, Pace, RealtimeUser, task


class IdleUser(RealtimeUser):
    """A session that says nothing."""

    is_silent = True

    def shape(self) -> Pace:
        """No message is ever due."""
        return NEVER

    @task
    def listen(self) -> None:
        """Wait for the end of the load."""
        self.pace()
