"""The former place of `Outcome`, for scenarios that were written for it; import it from `squall`."""

from .record.row import Outcome

__all__ = ["Outcome"]
