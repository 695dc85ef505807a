"""Dialects: pure mappings between intents and the frames of one protocol, one file each; no I/O, no clock.

`make_dialect` is the only place that knows which dialects exist.
"""

from ..errors import PlanError
from ..plan import Endpoint
from .dialect import Dialect, Message
from .envelope import EnvelopeDialect
from .template import TemplateDialect

__all__ = ["Dialect", "Message", "make_dialect"]


def make_dialect(endpoint: Endpoint) -> Dialect:
    """The dialect that the endpoint speaks, ready to encode and decode.

    Raises:
        PlanError: a template or match of `[endpoint.json]` is wrong; names the key and what would be right.
    """
    if endpoint.dialect == "envelope":
        return EnvelopeDialect()
    if endpoint.json is None:
        raise PlanError('endpoint.dialect: "json" needs a table [endpoint.json] that describes the protocol')
    return TemplateDialect(endpoint.json)
