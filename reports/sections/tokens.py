"""Tokens: which connections were still served after their token had expired, and which the endpoint ended for it.

A connection counts only where its token's expiry is known (an OPEN row has it) and the endpoint has shown what it does:
it served the connection, or it closed it.
"""

import msgspec
import numpy as np

from harness.record.row import Closer, Kind, Outcome
from harness.units import SECOND

from ..registry import section
from ..rows import Array, Rows, connection_keys, find

EARLY_NS = SECOND
"""A token's `exp` is in whole seconds, and the endpoint's clock is not ours."""
CLOSES = frozenset((1000, 1001, 1008))
"""Standard close codes that an endpoint may use for an expired token; 3000 to 4999 are its own."""
ANSWERED = (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING)


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What became of connections whose token expired while they were open."""

    expired: int
    """connections that were used or closed by the endpoint after their token's expiry"""
    ended: int
    """connections that the endpoint closed because of it"""
    outlived: int
    """connections that were served later than `token_grace_s` after the expiry"""
    served: int
    """deliveries and answers to them after that"""
    first_s: float | None
    """when first, since the run began; `null`: never"""


@section("tokens")
def tokens(rows: Rows) -> Tokens | None:
    """None where no token's expiry is known."""
    keys, expires = _expiries(rows)
    if not len(keys):
        return None
    late = _served(rows, keys, expires + round(rows.contract.token_grace_s * SECOND))
    ended = ends_by_expiry(rows, rows.of(Kind.CLOSE))
    closed = connection_keys(rows.of(Kind.CLOSE)[ended])
    outlived = np.unique(connection_keys(late))
    return Tokens(
        expired=len(np.union1d(outlived, closed)),
        ended=len(closed),
        outlived=len(outlived),
        served=len(late),
        first_s=rows.since_start_s(late["arrived"].min()) if len(late) else None,
    )


def ends_by_expiry(rows: Rows, ended: Array) -> Array:
    """Which of these CLOSE rows are the endpoint's answer to an expired token."""
    keys, expires = _expiries(rows)
    at, known = find(keys, connection_keys(ended))
    fits: Array = known & (ended["peer"] == Closer.ENDPOINT)
    fits &= np.isin(ended["code"], list(CLOSES)) | (ended["code"] >= 3000)
    fits[known] &= ended["arrived"][known] >= expires[at[known]] - EARLY_NS
    return fits


def _expiries(rows: Rows) -> tuple[Array, Array]:
    """The connections whose token's expiry is known, sorted by key, and that expiry in nanoseconds."""
    opened = rows.of(Kind.OPEN, Outcome.OK)
    opened = opened[opened["seq"] > 0]
    order = np.argsort(connection_keys(opened))
    return connection_keys(opened)[order], opened["seq"][order]


def _served(rows: Rows, keys: Array, limit: Array) -> Array:
    """The deliveries that arrived, and the accepted requests that were sent, after a connection's limit."""
    found = [_after(rows.of(Kind.DELIVERY), "arrived", keys, limit)]
    found += [_after(rows.of(kind, Outcome.OK), "sent", keys, limit) for kind in ANSWERED]
    return np.concatenate(found)


def _after(rows: Array, column: str, keys: Array, limit: Array) -> Array:
    at, known = find(keys, connection_keys(rows))
    late: Array = rows[known & (rows[column] > limit[at])]
    return late
