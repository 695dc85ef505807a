"""Chat: every session joins one room and publishes into it at the plan's rate; whoever is dropped comes back.

The plain case of an application with rooms, and what `plans/demo.toml` runs. Session n is in room n modulo the
number of rooms, so rooms are of equal size.
"""

from locust import task

from harness.users import RealtimeUser


class ChatUser(RealtimeUser):
    """Somebody in a room."""

    def on_connect(self) -> None:
        """Enter the room, at the first connection and after every return."""
        self.join(self.room)

    @task
    def say(self) -> None:
        """One message when it is due."""
        due = self.pace()
        self.publish(self.room, self.text, due)
