"""The figures: how long things took. `@figure` registers one; report, terminal, page, docs and budgets read the list.

Bursts are left out of all but `reject`, and so are operations that only follow from others (IMPLICIT).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from harness.record.row import Flag, Kind, Outcome

from .ledger import live
from .percentile import Groups, grouped
from .rows import Array, Rows

REQUESTS = (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING)


class Times(NamedTuple):
    """Durations in nanoseconds, and for each whether it belongs to an affected session."""

    values_ns: Array
    affected: Array


@dataclass(frozen=True)
class Figure:
    """One figure.

    Args:
        name: its key in report.json.
        label: its name on the terminal and the page; "" keeps it off both.
        short: from what to what, in a few words.
        since, until: the same for the documentation.
        shown: the group that views show.
        always: whether the page shows it even without samples.
        measure: computes it.
    """

    name: str
    label: str
    short: str
    since: str
    until: str
    shown: Literal["unaffected", "all"]
    always: bool
    measure: Callable[[Rows], Times]
    unit: str = "ms"


FIGURES: dict[str, Figure] = {}
"""Every figure by name, in the order in which views show them."""

Measure = Callable[[Rows], Times]


def figure(
    name: str,
    since: str,
    until: str,
    *,
    label: str | None = None,
    short: str = "",
    shown: Literal["unaffected", "all"] = "unaffected",
    always: bool = False,
) -> Callable[[Measure], Measure]:
    """Register a figure; the arguments are those of Figure, and `label` is the name if it is not given."""

    def register(measure: Measure) -> Measure:
        if name in FIGURES:
            raise TypeError(f'the figure "{name}" is registered twice')
        FIGURES[name] = Figure(name, name if label is None else label, short, since, until, shown, always, measure)
        return measure

    return register


def all_figures(rows: Rows) -> dict[str, Groups]:
    """Every figure by name."""
    return {name: grouped(*one.measure(rows)) for name, one in FIGURES.items()}


@figure(
    "response",
    "a message's **due** time",
    "its ack: the headline, free of coordinated omission",
    short="due to answer",
    always=True,
)
def response(rows: Rows) -> Times:
    """The latency that a user would have felt."""
    return _times(rows, rows.answered, "arrived", "due")


@figure(
    "service",
    "any request's sending",
    "its answer (join, publish, leave, ping)",
    short="sent to answer",
    always=True,
)
def service(rows: Rows) -> Times:
    """The latency of the endpoint alone."""
    asked = np.concatenate([_complete(rows.of(kind, Outcome.OK)) for kind in REQUESTS])
    return _times(rows, asked[asked["flags"] & (Flag.BURST | Flag.IMPLICIT) == 0], "arrived", "sent")


@figure(
    "delivery",
    "the sender's due time",
    "arrival at a receiver; live deliveries only, neither history nor copies",
    short="due to each receiver",
    always=True,
)
def delivery(rows: Rows) -> Times:
    """From the sender's due time to a receiver's arrival."""
    return _delivered(rows, "due")


@figure("transit", "the sender's sending", "arrival at a receiver, as for `delivery`", short="sent to each receiver")
def transit(rows: Rows) -> Times:
    """From the sender's sent time to a receiver's arrival."""
    return _delivered(rows, "sent")


@figure("login", "the login request", "the token in its answer (one login per session, or one for all)",
        short="request to token")  # fmt: skip
def login(rows: Rows) -> Times:
    """Logins that gave a token."""
    return _times(rows, _complete(rows.of(Kind.LOGIN, Outcome.OK)), "arrived", "sent")


@figure("open", "when the connection was due", "the accepted upgrade (a session that polls has none)",
        short="due to upgraded")  # fmt: skip
def opening(rows: Rows) -> Times:
    """Connections, from when they were due."""
    return _times(rows, _upgraded(rows), "arrived", "due")


@figure("open_service", "the SYN", "the accepted upgrade", label="")
def open_service(rows: Rows) -> Times:
    """Connections, from their SYN."""
    return _times(rows, _upgraded(rows), "arrived", "sent")


@figure("join", "the request", "its ack")
def join(rows: Rows) -> Times:
    """Joins that were accepted."""
    joined = _complete(rows.of(Kind.JOIN, Outcome.OK))
    return _times(rows, joined[joined["flags"] & Flag.IMPLICIT == 0], "arrived", "sent")


@figure("ack", "a message's sending", "its ack")
def ack(rows: Rows) -> Times:
    """Messages that were accepted."""
    return _times(rows, rows.answered, "arrived", "sent")


@figure("pong", "a keepalive ping's sending", "its pong", label="keepalive", short="ping to pong")
def pong(rows: Rows) -> Times:
    """Keepalive pings that were answered."""
    return _times(rows, _complete(rows.of(Kind.KEEPALIVE, Outcome.OK)), "arrived", "sent")


@figure("reject", "a refused request's sending", "its error", label="time to reject", short="all", shown="all")
def reject(rows: Rows) -> Times:
    """Messages and malformed payloads that were refused, bursts among them."""
    refused = np.concatenate([rows.of(kind, Outcome.REJECTED) for kind in (Kind.PUBLISH, Kind.PROBE)])
    return _times(rows, _complete(refused), "arrived", "sent")


@figure("lag", "due", "sent: how late the generator sent (without requests that waited for their HTTP connection)",
        label="send delay", short="all", shown="all")  # fmt: skip
def lag(rows: Rows) -> Times:
    """The generator's send delay."""
    return _times(rows, rows.on_schedule, "sent", "due")


@figure("read_lag", "the kernel's arrival stamp", "when Squall read it: how late the generator read",
        label="read delay", short="all", shown="all")  # fmt: skip
def read_lag(rows: Rows) -> Times:
    """The generator's read delay."""
    stamped = rows.table[rows.table["flags"] & (Flag.EXACT | Flag.BOUNDED) > 0]
    return _times(rows, stamped, "read", "arrived")


def _times(rows: Rows, found: Array, end: str, begin: str) -> Times:
    return Times(found[end] - found[begin], rows.affected[found["session"]])


def _complete(found: Array) -> Array:
    return found[(found["arrived"] > 0) & (found["sent"] > 0)]


def _upgraded(rows: Rows) -> Array:
    """The connections that were opened; a poller only connects, and nothing is asked and answered."""
    opened = rows.of(Kind.OPEN, Outcome.OK)
    upgraded: Array = opened[opened["flags"] & Flag.IMPLICIT == 0]
    return upgraded


def _delivered(rows: Rows, begin: str) -> Times:
    """Live deliveries of ordinary messages; affected when either party is."""
    delivered, source = live(rows)
    affected = rows.affected[delivered["session"]] | rows.affected[source["session"]]
    return Times(delivered["arrived"] - source[begin], affected)
