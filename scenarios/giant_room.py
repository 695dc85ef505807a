"""Giant room: most sessions are in one room, where every message goes to all of them; the others are in small rooms.

A town hall: a message to the giant room costs the endpoint a thousand times as much as one to a small room, and must
not delay the small rooms. Sessions behave as in `chat`; the plan makes their messages rare and random, and sets the
sizes by `room_sizes`.
"""

from .chat import ChatUser


class GiantRoomUser(ChatUser):
    """A member of the giant room, or of a small one."""
