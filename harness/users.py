"""The former place of `RealtimeUser`, for scenarios that were written for it; import it from `squall`."""

from .engine.users import RealtimeUser, task

__all__ = ["RealtimeUser", "task"]
