"""Figures: what took how long, as percentiles with counts, for untouched sessions, faulted ones, and all.

It must not know files or pictures. The subtle thing: a percentile is given only when enough samples stand behind it
(p95: 20, p99: 100, p99.9: 1,000); otherwise it is absent.
"""

from typing import Any

import numpy as np

from harness.record.row import Flag, Kind, Outcome

from .percentile import in_ms, rank
from .rows import NOT_OUR_LAG, Array, Rows, sources

PERCENTILES = (("p50", 0.50, 1), ("p95", 0.95, 20), ("p99", 0.99, 100), ("p999", 0.999, 1000))
REQUESTS = (Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING)


def percentiles(values_ns: Array) -> dict[str, Any]:
    """Count, percentiles and maximum in milliseconds; absent ones are None."""
    ordered = np.sort(values_ns)
    found: dict[str, Any] = {"count": len(ordered)}
    for name, share, least in PERCENTILES:
        enough = len(ordered) >= least
        found[name] = in_ms(ordered[rank(len(ordered), share)]) if enough else None
    found["max"] = in_ms(ordered[-1]) if len(ordered) else None
    return found


def grouped(values_ns: Array, faulted: Array) -> dict[str, Any]:
    """The same for untouched, faulted and all; `faulted` says which value belongs to whom."""
    return {
        "untouched": percentiles(values_ns[~faulted]),
        "faulted": percentiles(values_ns[faulted]),
        "all": percentiles(values_ns),
    }


def all_figures(rows: Rows) -> dict[str, Any]:
    """Every figure by name, in milliseconds."""
    struck = rows.faulted
    opened = rows.of(Kind.OPEN, Outcome.OK)
    opened = opened[opened["flags"] & Flag.IMPLICIT == 0]  # a poller only connects: nothing is asked and answered
    joined = _answered(rows.of(Kind.JOIN, Outcome.OK))
    published = rows.of(Kind.PUBLISH)
    plain = _answered(published[(published["outcome"] == Outcome.OK) & (published["flags"] & Flag.BURST == 0)])
    asked = np.concatenate([_answered(rows.of(kind, Outcome.OK)) for kind in REQUESTS])
    asked = asked[asked["flags"] & (Flag.BURST | Flag.IMPLICIT) == 0]
    refused = np.concatenate([rows.of(Kind.PUBLISH, Outcome.REJECTED), rows.of(Kind.PROBE, Outcome.REJECTED)])
    sent = published[published["sent"] > 0]
    late, transit, apart = _deliveries(rows, sent)
    calm = sent[sent["flags"] & NOT_OUR_LAG == 0]
    stamped = rows.table[rows.table["flags"] & (Flag.EXACT | Flag.BOUNDED) > 0]

    def of(found: Array, end: str, begin: str) -> dict[str, Any]:
        return grouped(found[end] - found[begin], struck[found["session"]])

    return {
        "login": of(_answered(rows.of(Kind.LOGIN, Outcome.OK)), "arrived", "sent"),
        "open": of(opened, "arrived", "due"),
        "open_service": of(opened, "arrived", "sent"),
        "join": of(joined[joined["flags"] & Flag.IMPLICIT == 0], "arrived", "sent"),
        "ack": of(plain, "arrived", "sent"),
        "response": of(plain, "arrived", "due"),
        "service": of(asked, "arrived", "sent"),
        "delivery": grouped(late, apart),
        "transit": grouped(transit, apart),
        "pong": of(_answered(rows.of(Kind.KEEPALIVE, Outcome.OK)), "arrived", "sent"),
        "reject": of(_answered(refused), "arrived", "sent"),
        "lag": of(calm, "sent", "due"),
        "read_lag": of(stamped, "read", "arrived"),
    }


def _deliveries(rows: Rows, sent: Array) -> tuple[Array, Array, Array]:
    """For each delivery of an ordinary message: since due, since sent, and whether either party is faulted."""
    delivered, source = sources(rows, sent)
    apart = rows.faulted[delivered["session"]] | rows.faulted[source["session"]]
    return delivered["arrived"] - source["due"], delivered["arrived"] - source["sent"], apart


def outcomes(rows: Rows) -> dict[str, dict[str, int]]:
    """How many of each operation ended how."""
    found: dict[str, dict[str, int]] = {}
    for kind in (
        Kind.LOGIN,
        Kind.OPEN,
        Kind.JOIN,
        Kind.PUBLISH,
        Kind.LEAVE,
        Kind.PING,
        Kind.PROBE,
        Kind.CLOSE,
        Kind.POLL,
        Kind.KEEPALIVE,
        Kind.FETCH,
    ):
        counts = np.bincount(rows.of(kind)["outcome"], minlength=len(Outcome))
        named = {Outcome(number).name.lower(): int(count) for number, count in enumerate(counts) if count}
        if named:
            found[kind.name.lower()] = named
    return found


def _answered(found: Array) -> Array:
    return found[(found["arrived"] > 0) & (found["sent"] > 0)]
