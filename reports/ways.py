"""Which way a request went: over the WebSocket, by REST, or by polling."""

from collections.abc import Iterable, Iterator

from harness.record.row import Kind

from .rows import Array, Rows

ASKED = (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING, Kind.FETCH)
"""The requests on a conversation; a malformed payload is none."""


def ways_of(rows: Rows, kind: Kind, found: Array) -> Iterator[tuple[str, Array]]:
    """These requests by the way that they went: `ws`, `rest` or `poll`."""
    session = found["session"]
    if kind is Kind.LOGIN:
        yield "rest", found
    elif kind is Kind.FETCH:
        yield "poll", found
    else:
        other, name = (rows.posted, "rest") if kind is Kind.PUBLISH else (rows.polled, "poll")
        yield "ws", found[~other[session]]
        yield name, found[other[session]]


def by_way(rows: Rows, kinds: Iterable[Kind], found: Array) -> dict[str, int]:
    """How many of these requests there are of each kind and way, by a name such as `join (ws)`; none is left out."""
    return {
        f"{kind.name.lower()} ({way})": len(some)
        for kind in kinds
        for way, some in ways_of(rows, kind, found[found["kind"] == kind])
        if len(some)
    }
