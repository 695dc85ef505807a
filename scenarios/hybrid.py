"""Hybrid: `chat` with commands by REST and events by WebSocket: messages are posted, deliveries are pushed.

This is how an application works whose writes go through its ordinary API (authorisation, validation, retries) and whose
events alone are real-time. The HTTP answer is the ack. When the WebSocket ends, the session is disconnected, even if
its posts still work.
"""

from .chat import ChatUser


class HybridUser(ChatUser):
    """A member of one or more rooms that posts its messages."""

    pattern = "hybrid"
