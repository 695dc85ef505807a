"""Giant room: most people are in one room, where every message goes to all of them, and the others in small ones.

A town hall: a message into the giant room costs the endpoint a thousand times what one into a small room does, and must
not hold the small ones up. The people are chat's, speaking seldom and at random; the sizes are the plan's `room_sizes`.
"""

from .chat import ChatUser


class GiantRoomUser(ChatUser):
    """Somebody in the giant room, or in a small one."""
