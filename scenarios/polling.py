"""Polling: `chat` by REST alone: messages are posted, deliveries are polled.

This is what a page does where no WebSocket gets through. Delivery times include the wait for the next poll: with
`endpoint.rest.mode = "long"` the endpoint holds the answer until there is a message; with `"interval"` the session
polls every `every_s`. A dropped session continues after the last message it received, so nothing is lost.
"""

from .chat import ChatUser


class PollingUser(ChatUser):
    """A member of one or more rooms, without a WebSocket."""

    pattern = "polling"
