"""Soak: few messages for a long time, with people coming and going, to see what does not come back.

The people are chat's; the default plan lets each stay a minute or two and another take the seat, for what leaks mostly
leaks a connection at a time. The report's `growth` gives the slope of memory and of open descriptors, of the generator
and of the endpoint where its metrics tell, with the interval that their noise leaves. Let it run for hours
(`--duration 28800`): the longer, the smaller a leak that shows.
"""

from .chat import ChatUser


class SoakUser(ChatUser):
    """Somebody who stays for a while."""
