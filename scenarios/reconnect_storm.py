"""Reconnect storm: people chat, the plan drops most of them at one stroke, and all of them come back at once.

A load balancer restarts, a train leaves a tunnel. The people are chat's; the storm is the plan's `[[chaos]]`, the way
back its `[reconnect]`. The report's `recovery` says how long it took from the drop until they were in their rooms
again, and what they missed meanwhile.
"""

from .chat import ChatUser


class StormUser(ChatUser):
    """Somebody in a room who will be dropped."""
