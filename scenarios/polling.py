"""Polling: the chat of `chat`, by REST alone: messages are posted, and what others said is polled.

What a page does where no WebSocket gets through, or an application that never had one. Delivery includes the waiting
for the next poll: with `endpoint.rest.mode = "long"` the endpoint holds the answer until there is something, with
`interval` it is asked every `every_s`. Whoever is dropped goes on from the last message heard, so nothing is lost.
"""

from .chat import ChatUser


class PollingUser(ChatUser):
    """Somebody in a room, without a WebSocket."""

    pattern = "polling"
