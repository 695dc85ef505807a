"""Presence: people enter and leave rooms all the time, while one in each room goes on talking.

A room's leader (its lowest number) says something at the plan's rate; everybody else, a fifth as often, goes out of the
room or comes in again. The ledger then says whether the endpoint's idea of who is there keeps up: what is said after a
join was acknowledged is owed, and what was sent after a leave was acknowledged and arrives all the same has leaked.
"""

from squall import Pace, RealtimeUser, seldom, task

CHANGES_EVERY = 5
"""While so many messages are due, one change is: a stay is long enough to be owed something."""


class PresenceUser(RealtimeUser):
    """The one who talks, or one of those who come and go. `scratch` are the rooms that it is outside of, or on its way.

    In several rooms, who leads one stays in all of them and talks in those that it leads, in turn; the others go out of
    one room or into it at a time.
    """

    needs_rooms = True

    def shape(self) -> Pace:
        """The plan's for who talks; changes are fewer, and not all in the same one of five."""
        pace = super().shape()
        return pace if self.led else seldom(pace, CHANGES_EVERY, self.session.number % CHANGES_EVERY)

    def on_connect(self) -> None:
        """Enter, unless it had left before its connection was lost."""
        outside = self.client.scratch or ()
        for room in self.rooms:
            if room not in outside:
                self.join(room)

    @task
    def change(self) -> None:
        """Say something, go out, or come in, when it is due."""
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
