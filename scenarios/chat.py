"""Chat: every session joins its rooms and publishes into them at the plan's rate; whoever is dropped comes back.

The plain case of an application with rooms, and what `plans/demo.toml` runs. By default session n is in room n modulo
the number of rooms, so rooms are of equal size; `load.room_sizes` makes them otherwise. Who is in several rooms speaks
in each in turn.
"""

from squall import RealtimeUser, task


class ChatUser(RealtimeUser):
    """Somebody in a room."""

    needs_rooms = True

    @task
    def say(self) -> None:
        """One message when it is due."""
        due = self.pace()
        rooms = self.rooms
        self.publish(rooms[self.client.n % len(rooms)], self.text, due)
