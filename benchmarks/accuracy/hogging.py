"""A scenario whose process is no good on purpose: chat, and 200 ms of every second the process does nothing else.

The hog sits in the hub, where nothing can run beside it: neither a send nor a read, as when a laptop swaps.
"""

import time

from locust import task

from harness.engine.users import RealtimeUser

HELD_NS = 200_000_000
EVERY_NS = 1_000_000_000


class HoggedUser(RealtimeUser):
    """Somebody in a room, in a process that session 0 keeps from working."""

    def on_connect(self) -> None:
        """Enter; the first session to come begins the hogging, too."""
        self.join(self.room)
        if self.session.number == 0 and self.session.conn == 0:
            self._hog(self.generator.timeline.load_start_ns + EVERY_NS // 2)

    def _hog(self, due_ns: int) -> None:
        clock = self.generator.clock

        def hold() -> None:
            until = time.monotonic_ns() + HELD_NS
            while time.monotonic_ns() < until:
                pass
            if due_ns + EVERY_NS < self.generator.timeline.load_end_ns:
                self._hog(due_ns + EVERY_NS)

        clock.at(due_ns, hold)

    @task
    def say(self) -> None:
        """One message when it is due."""
        due = self.pace()
        self.publish(self.room, self.text, due)
