"""Soak: few messages for a long time, with sessions coming and going, to find leaks.

Sessions behave as in `chat`. In the default plan each stays for a minute or two and is then replaced, since most leaks
happen once per connection. The report's `growth` gives the slope of memory and of open descriptors with its confidence
interval, for the generator and, if it publishes metrics, for the endpoint. Let it run for hours (`--duration 28800`):
the longer the run, the smaller the leaks that it finds.
"""

from .chat import ChatUser


class SoakUser(ChatUser):
    """A member of one or more rooms that stays for a while."""
