"""Closes: which connections ended without our doing, and which of those the endpoint was entitled to end.

A gateway closes what has been idle or open for too long, and says 1001 for both (as for any other "going away"). So a
limit in the contract excuses only a close that came no earlier than the limit; the same code before it is unexpected.
A close with one of `throttle_codes` is a refusal: it is expected where the promised token bucket may have been empty.
"""

import msgspec
import numpy as np

from harness.record.row import OUR_ERRNOS, Closer, Kind, Outcome

from ..bystanders import cut_by_others
from ..closing import codes_of
from ..occasion import Occasion, occasion
from ..registry import section
from ..rows import Array, Rows, connection_keys
from ..throttling import may_be_empty
from .tokens import ends_by_expiry

SAYS = (Kind.JOIN, Kind.PUBLISH, Kind.DELIVERY, Kind.LEAVE, Kind.PROBE, Kind.PING, Kind.STRAY)
"""What counts as a message on a connection, in either direction; keepalive pings do not."""
REACTION_NS = 5_000_000_000
"""How long after the last message of a burst, or a malformed payload, a close may still be the answer to it."""
EARLY_SHARE = 0.02
EARLY_NS = 100_000_000
"""How much earlier than promised may be the way there and back, and the endpoint's clock."""


class Closes(msgspec.Struct, frozen=True, kw_only=True):
    """How connections ended that we did not end."""

    expected: dict[str, int]
    """by reason: `announced`, `throttled`, `lifetime`, `idle` or `token` (the token had expired)"""
    bystanders: int
    """connections that ended at once after another client's malformed payload, more often than by chance"""
    bystanders_first_s: float | None
    """when first, since the run began; `null`: never"""
    unexpected: dict[str, int]
    """by who ended them and the code, for example `endpoint 1011` or `reset 104`"""
    unexpected_at: Occasion | None
    """when first, and whose, leaving out those that this machine caused; `null`: never"""


@section("closes")
def closes(rows: Rows) -> Closes:
    """How connections ended that we did not end."""
    ended, reasons = _judged(rows)
    expected: dict[str, int] = {}
    left = np.ones(len(ended), bool)
    for reason, these in reasons.items():
        if count := int(np.count_nonzero(these & left)):
            expected[reason] = count
        left &= ~these
    ended = ended[left]
    cut = cut_by_others(rows, ended)
    unexpected: dict[str, int] = {}
    for row in ended[~cut]:
        cause = f"{Closer(int(row['peer'])).name.lower()} {int(row['code'])}"
        unexpected[cause] = unexpected.get(cause, 0) + 1
    return Closes(
        expected=expected,
        bystanders=int(np.count_nonzero(cut)),
        bystanders_first_s=rows.since_start_s(ended["arrived"][cut].min()) if cut.any() else None,
        unexpected=unexpected,
        unexpected_at=occasion(rows, ended[~cut & ~_by_this_machine(ended)]),
    )


def ends(rows: Rows) -> tuple[Array, Array]:
    """The CLOSE rows of connections that nothing of ours explains, and which of them the contract does not either."""
    ended, reasons = _judged(rows)
    return ended, ~np.logical_or.reduce(list(reasons.values()))


def _judged(rows: Rows) -> tuple[Array, dict[str, Array]]:
    """The ends of connections that nothing of ours explains, and which of them the contract allows, by reason."""
    ended = rows.of(Kind.CLOSE)
    ended = ended[ended["peer"] != Closer.US]
    ended = ended[~_excused(rows, ended)]
    contract = rows.contract
    codes = codes_of(ended)
    by_endpoint = np.isin(ended["peer"], (Closer.ENDPOINT, Closer.FIN, Closer.RESET))
    limited = by_endpoint & np.isin(codes, contract.limit_codes)
    refusing = by_endpoint & np.isin(codes, contract.throttle_codes)
    opened, spoke = _began(rows, ended)
    reasons: dict[str, Array] = {
        "announced": by_endpoint & np.isin(codes, contract.expected_closes),
        "throttled": refusing & may_be_empty(rows, ended, refusing),
        "lifetime": limited & _long(ended["arrived"] - opened, contract.lifetime_s),
        "idle": limited & _long(ended["arrived"] - spoke, contract.idle_s),
        "token": ends_by_expiry(rows, ended),
    }
    return ended, reasons


def _by_this_machine(ended: Array) -> Array:
    """Which of these ends came from a shortage on our side, such as of descriptors."""
    ours: Array = (ended["peer"] == Closer.RESET) & np.isin(ended["code"], list(OUR_ERRNOS))
    return ours


def _excused(rows: Rows, ended: Array) -> Array:
    """Which of these ends a fault or a malformed payload explains: a drop always, the others for a while."""
    dropped = np.isin(connection_keys(ended), connection_keys(rows.drops))
    begun_or_lifted = np.concatenate([rows.of(Kind.FAULT), rows.of(Kind.LIFT)])
    provoking = begun_or_lifted[np.isin(begun_or_lifted["code"], rows.fault_kinds.provoking)]
    connections, at = np.unique(connection_keys(ended), return_inverse=True)
    affected = np.maximum(_latest(provoking, connections), _latest(rows.of(Kind.PROBE), connections))[at]
    excused: Array = dropped | (affected > 0) & (ended["arrived"] <= affected + REACTION_NS)
    return excused


def _began(rows: Rows, ended: Array) -> tuple[Array, Array]:
    """For each of these ends: when its connection opened, and when the last message was sent or received on it."""
    connections, at = np.unique(connection_keys(ended), return_inverse=True)
    opened = _latest(rows.of(Kind.OPEN, Outcome.OK), connections)
    spoke = opened.copy()
    for kind in SAYS:
        spoke = np.maximum(spoke, _latest(rows.of(kind), connections))
    return opened[at], spoke[at]


def _latest(found: Array, connections: Array) -> Array:
    """The last time in these rows for each connection; 0 if there is none."""
    last = np.zeros(len(connections), np.int64)
    if len(connections):
        keys = connection_keys(found)
        at = np.minimum(np.searchsorted(connections, keys), len(connections) - 1)
        ours = connections[at] == keys
        np.maximum.at(last, at[ours], np.maximum(found["sent"], found["arrived"])[ours])
    return last


def _long(spans_ns: Array, promised_s: float | None) -> Array:
    if promised_s is None:
        return np.zeros(len(spans_ns), bool)
    long_enough: Array = spans_ns >= promised_s * 1e9 * (1 - EARLY_SHARE) - EARLY_NS
    return long_enough
