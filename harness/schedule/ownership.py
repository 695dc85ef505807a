"""Which process owns a session: the one statement of it, which all who count or deal sessions go by.

Sessions are dealt to users like cards, and users to processes like cards, as Locust does it.
"""

from ..plan.load import Load


def owner(load: Load, session: int, processes: int) -> int:
    """The rank of the process that opens session number `session`."""
    return session % load.users % processes


def owned(load: Load, rank: int, processes: int) -> list[int]:
    """The numbers of all sessions that a process owns, in order."""
    return [session for session in range(load.sessions) if owner(load, session, processes) == rank]
