"""Bystanders: clients that did nothing wrong and paid for what another client did.

For the sections `closes` and `held_up`. What happens to a bystander soon after another client's act may be chance, so
each judgement compares with what happens at other times.
"""

import numpy as np

from harness.record.row import Kind
from harness.units import SECOND

from .rows import Array, Rows

AT_ONCE_NS = SECOND
"""How long after a malformed payload the end of another client's connection can be its effect."""
CLUSTER_NS = SECOND // 4
"""Connections that end within this time of each other end for one reason."""
CHANCE = 0.01
"""How probable it may be that closes follow malformed payloads by chance."""


def cut_by_others(rows: Rows, ended: Array) -> Array:
    """Which of these connections ended because of a malformed payload on another one.

    Ends that come close together are one event. An event counts if it begins within a second after a malformed payload
    of another session. The delays must be so short that as many events fall so close to such payloads by chance in
    fewer than 1 of 100 runs.

    Args:
        rows: the run.
        ended: CLOSE rows that nothing else explains.
    """
    cut = np.zeros(len(ended), bool)
    probes = np.sort(rows.of(Kind.PROBE)["sent"])
    probes = probes[probes > 0]
    if not len(ended) or not len(probes):
        return cut
    order = np.argsort(ended["arrived"], kind="stable")
    times = ended["arrived"][order]
    event = np.concatenate([[0], np.cumsum(np.diff(times) > CLUSTER_NS)])
    begins = times[np.searchsorted(event, np.arange(event[-1] + 1))]
    last = np.searchsorted(probes, begins, side="right") - 1
    delay = np.where(last >= 0, begins - probes[np.maximum(last, 0)], AT_ONCE_NS + 1)
    near = delay <= AT_ONCE_NS
    if near.any() and _chance(rows, probes, delay[near], len(begins)) < CHANCE:
        cut[order] = near[event]
    return cut


def _chance(rows: Rows, probes: Array, delays: Array, events: int) -> float:
    """How probable it is that so many of all events follow a probe as closely by chance."""
    reach = int(delays.max())
    covered = int(np.minimum(np.diff(probes), reach).sum()) + reach
    span = max(covered, rows.last_ns - rows.start_ns)
    share = covered / span
    # Union bound over which of the events they are.
    return float(min(1.0, share ** len(delays) * _choices(events, len(delays))))


def _choices(events: int, near: int) -> float:
    return float(np.exp(np.log(np.arange(events - near + 1, events + 1)).sum() - np.log(np.arange(1, near + 1)).sum()))
