"""Chat: every session joins its rooms and publishes to them at the plan's rate.

The plain case of an application with rooms, and what `plans/demo.toml` runs. By default session n is in room n modulo
the number of rooms, so all rooms have the same size; `load.room_sizes` changes that. A session in several rooms
publishes to each in turn.
"""

from squall import RealtimeUser, task


class ChatUser(RealtimeUser):
    """A member of one or more rooms."""

    needs_rooms = True

    @task
    def say(self) -> None:
        """Publish one message when it is due."""
        due = self.pace()
        rooms = self.rooms
        self.publish(rooms[self.client.n % len(rooms)], self.text, due)
