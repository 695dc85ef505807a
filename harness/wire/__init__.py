"""Dialects: pure mappings between intents and the frames of one protocol, one file each; no I/O, no clock."""

from ..plan.dialect_registry import dialect_of
from ..plan.endpoint import Endpoint
from .dialect import Dialect, Message

__all__ = ["Dialect", "Message", "make_dialect"]


def make_dialect(endpoint: Endpoint) -> Dialect:
    """Make the endpoint's dialect, ready to encode and decode.

    Raises:
        PlanError: the plan's description of it is wrong; names the key and what is expected.
    """
    made: Dialect = dialect_of(endpoint.dialect).make(endpoint)
    return made
