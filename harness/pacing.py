"""The former place of the paces, for scenarios that were written for it; import them from `squall`."""

from .schedule.pacing import NEVER, Pace, seldom

__all__ = ["NEVER", "Pace", "seldom"]
