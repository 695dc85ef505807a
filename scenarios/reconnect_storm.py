"""Reconnect storm: the plan drops most sessions at the same moment, and all of them reconnect at once.

A load balancer restarts, a train leaves a tunnel. Sessions behave as in `chat`; the plan's `[[chaos]]` drops them and
its `[reconnect]` brings them back. The report's `recovery` says how long it took from the drop until they were back in
their rooms, and what they missed meanwhile.
"""

from .chat import ChatUser


class StormUser(ChatUser):
    """A member of one or more rooms that will be dropped."""
