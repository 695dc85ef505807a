"""`[load.room_sizes]`: how many sessions are in which room. Who is put where: `schedule.rooms`.

One table, told apart by `sizes`. `per_session` is how many rooms a session is in at once; a room is never entered
twice by the same session, so none is larger than the number of sessions.
"""

from ..errors import PlanError
from .section import Count, NotNegative, Section, Share


class RoomSizes(Section, frozen=True, kw_only=True):
    """The base of every distribution."""

    per_session: Count = 1

    def count(self, rooms: int, sessions: int) -> int:
        """How many rooms there are, `rooms` being the plan's number."""
        return rooms

    def check(self, rooms: int, sessions: int) -> None:
        """Check the sizes against the rest of the load.

        Raises:
            PlanError: the sessions cannot be put into the rooms this way.
        """
        if self.per_session > rooms:
            raise PlanError(
                f"load.room_sizes.per_session: a session cannot be in {self.per_session} rooms, there are {rooms}"
            )


class Equal(RoomSizes, frozen=True, kw_only=True, tag_field="sizes", tag="equal"):
    """Rooms of equal size, give or take one; with one room per session, session n is in room n modulo `load.rooms`."""


class Zipf(RoomSizes, frozen=True, kw_only=True, tag_field="sizes", tag="zipf"):
    """Sizes in proportion to 1 / rank^exponent, no room empty: a few large rooms and a long tail."""

    exponent: NotNegative = 1.0

    def check(self, rooms: int, sessions: int) -> None:
        """Check that each room gets at least one member."""
        super().check(rooms, sessions)
        _enough(rooms, sessions * self.per_session)


class Giant(RoomSizes, frozen=True, kw_only=True, tag_field="sizes", tag="giant"):
    """Room 0 holds `share` of the sessions, and the others are of equal size."""

    share: Share = 0.5

    def check(self, rooms: int, sessions: int) -> None:
        """Check that there are other rooms, and members for each of them."""
        super().check(rooms, sessions)
        if rooms < 2:
            raise PlanError("load.rooms: one giant room and small ones are at least 2 rooms")
        rest = sessions * self.per_session - self.giant(sessions)
        if not rooms - 1 <= rest <= (rooms - 1) * sessions:
            raise PlanError(
                f"load.room_sizes.share: beside the giant room, {rest} memberships are left for {rooms - 1} rooms"
            )

    def giant(self, sessions: int) -> int:
        """The size of the giant room."""
        return max(1, round(self.share * sessions))


class Fixed(RoomSizes, frozen=True, kw_only=True, tag_field="sizes", tag="fixed"):
    """Each room's size by name: `members = [50, 30, 20]`."""

    members: tuple[Count, ...]

    def check(self, rooms: int, sessions: int) -> None:
        """Check the list against the number of rooms and the number of sessions."""
        if rooms != len(self.members):
            raise PlanError(f"load.rooms: it is {rooms}, but load.room_sizes.members names {len(self.members)} rooms")
        super().check(rooms, sessions)
        if sum(self.members) != sessions * self.per_session:
            raise PlanError(
                f"load.room_sizes.members: they add up to {sum(self.members)}, not to "
                f"{sessions * self.per_session} ({sessions} sessions x {self.per_session})"
            )
        if max(self.members) > sessions:
            raise PlanError(f"load.room_sizes.members: {max(self.members)} is more than the {sessions} sessions")


class Own(Section, frozen=True, kw_only=True, tag_field="sizes", tag="own"):
    """A room for each session, alone in it; `load.rooms` is not used."""

    def count(self, rooms: int, sessions: int) -> int:
        """One per session."""
        return sessions

    def check(self, rooms: int, sessions: int) -> None:
        """Nothing to check: it fits any load."""


class NoRoom(Section, frozen=True, kw_only=True, tag_field="sizes", tag="none"):
    """No rooms at all: for a protocol without rooms; `load.rooms` is not used."""

    def count(self, rooms: int, sessions: int) -> int:
        """Always 0."""
        return 0

    def check(self, rooms: int, sessions: int) -> None:
        """Nothing to check: it fits any load."""


RoomSizesPlan = Equal | Zipf | Giant | Fixed | Own | NoRoom


def _enough(rooms: int, memberships: int) -> None:
    if rooms > memberships:
        raise PlanError(f"load.rooms: {rooms} rooms cannot all have somebody in them: there are {memberships} members")
