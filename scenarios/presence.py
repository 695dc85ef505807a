"""Presence: sessions join and leave rooms all the time, while one session per room keeps publishing.

A room's leader (the lowest session number in it) publishes at the plan's rate. Every other member leaves the room or
joins it again, a fifth as often. The ledger shows whether the endpoint keeps track of its members: a message sent after
a join was acknowledged is owed; one sent after a leave was acknowledged that still arrives has leaked.
"""

from squall import Pace, RealtimeUser, seldom, task

CHANGES_EVERY = 5
"""One change per this many messages of a leader, so that a membership is long enough to be owed something."""


class PresenceUser(RealtimeUser):
    """A leader, which publishes, or a member that comes and goes. `scratch` holds the rooms that it has left.

    A session that leads a room stays in all its rooms and publishes to those that it leads, in turn. The others leave
    or join one room at a time.
    """

    needs_rooms = True

    def shape(self) -> Pace:
        """The plan's shape for a leader; a fifth of it for the others, not all at the same time."""
        pace = super().shape()
        return pace if self.led else seldom(pace, CHANGES_EVERY, self.session.number % CHANGES_EVERY)

    def on_connect(self) -> None:
        """Join the rooms, except those that it had left before the connection was lost."""
        outside = self.client.scratch or ()
        for room in self.rooms:
            if room not in outside:
                self.join(room)

    @task
    def change(self) -> None:
        """Publish, leave or join when it is due."""
        due = self.pace()
        led, outside = self.led, self.client.scratch or ()
        rooms = led or self.rooms
        room = rooms[self.client.n % len(rooms)]
        if led:
            self.publish(room, self.text, due)
        elif room in outside:
            self.client.scratch = tuple(each for each in outside if each != room)
            self.join(room, due=due)
        else:
            self.client.scratch = (*outside, room)
            self.leave(room, due=due)
