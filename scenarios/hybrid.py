"""Hybrid: the chat of `chat` with its commands by REST: messages are posted, and what others said comes by WebSocket.

What an application does whose writes go through its ordinary API (authorisation, validation, retries) and whose pushes
alone are real-time. The HTTP answer is the ack. When the WebSocket ends, the session is gone, whatever its posts do.
"""

from .chat import ChatUser


class HybridUser(ChatUser):
    """Somebody in a room, who posts."""

    pattern = "hybrid"
