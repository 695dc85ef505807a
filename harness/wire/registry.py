"""`@dialect`: registers the function that makes a dialect, so that it is known by its name everywhere."""

from collections.abc import Callable

from ..plan.dialect_registry import DialectKind, register
from ..plan.endpoint import Endpoint
from .dialect import Dialect

Maker = Callable[[Endpoint], Dialect]


def _nothing(_endpoint: Endpoint) -> str:
    return ""


def dialect(
    name: str, *, needs_room: Callable[[Endpoint], bool], why_not: Callable[[Endpoint], str] = _nothing
) -> Callable[[Maker], Maker]:
    """Register a function that makes a dialect from the plan's `[endpoint]`.

    Args:
        name: the value of `endpoint.dialect`.
        needs_room: whether its messages name a room, so that a run without rooms is refused.
        why_not: what the plan lacks for it, in one line; "" for nothing.
    """

    def registered(make: Maker) -> Maker:
        register(DialectKind(name, make.__module__, make, needs_room, why_not))
        return make

    return registered
