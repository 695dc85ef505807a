"""From a run's rows to pandas data frames: one function per frame of `squall.analysis.Run`.

Times become seconds since the run's start (`_s`) or durations in milliseconds (`_ms`). A row's 0 means "absent" and
becomes NaN; an absent number becomes `<NA>`. Names (kinds, outcomes, rooms, scenarios) are categories.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.placeholders import fill
from harness.record.codes import LEAST_PLAIN
from harness.record.row import NO_ROOM, Closer, Damage, Flag, Gauge, Kind, Outcome

from . import reporting

if TYPE_CHECKING:
    from reports.rows import Rows

Array = NDArray[Any]

OPERATIONS = (
    Kind.LOGIN, Kind.OPEN, Kind.JOIN, Kind.PUBLISH, Kind.LEAVE, Kind.PING, Kind.PROBE, Kind.KEEPALIVE, Kind.FETCH,
    Kind.RECOVERY,
)  # fmt: skip
"""The kinds of row that are an operation of a session, in the order in which their names are shown."""


def operations(rows: "Rows") -> pd.DataFrame:
    """One line per operation of a session: `kind`, `outcome`, who, where, when, and how long it took."""
    table = rows.table[np.isin(rows.table["kind"], OPERATIONS)]
    numbered = np.isin(table["kind"], (Kind.PUBLISH, Kind.PROBE))
    return pd.DataFrame(
        {
            "kind": _named(table["kind"], {kind: kind.name.lower() for kind in OPERATIONS}),
            "outcome": _outcomes(table),
            "code": _whole(table["code"], (table["code"] != 0) & (table["code"] >= LEAST_PLAIN)),
            "code_name": _code_names(rows, table["code"]),
            "session": table["session"].astype(np.int64),
            "conn": table["conn"].astype(np.int64),
            "scenario": _scenarios(rows, table["session"]),
            **_rooms(rows, table["room"]),
            "seq": _whole(table["seq"], numbered),
            "messages": _whole(table["seq"], table["kind"] == Kind.FETCH),
            "tries": _whole(table["seq"], table["kind"] == Kind.RECOVERY),
            "damage": _named(
                np.where(table["kind"] == Kind.PROBE, table["peer"], 0), {each: each.label for each in Damage}
            ),
            "due_s": _since(rows, table["due"]),
            "sent_s": _since(rows, table["sent"]),
            "arrived_s": _since(rows, table["arrived"]),
            "lag_ms": _between(table["due"], table["sent"]),
            "response_ms": _between(table["due"], table["arrived"]),
            "service_ms": _between(table["sent"], table["arrived"]),
            "read_delay_ms": _between(table["arrived"], table["read"]),
            **_flags(table, exact=Flag.EXACT, bounded=Flag.BOUNDED, burst=Flag.BURST, implicit=Flag.IMPLICIT,
                     waited=Flag.WAITED),
            "affected": rows.affected[table["session"]],
        }
    )  # fmt: skip


def deliveries(rows: "Rows") -> pd.DataFrame:
    """One line per message that reached a session. `room` is the message's, or as the frame named it."""
    table = rows.of(Kind.DELIVERY)
    published = rows.of(Kind.PUBLISH)
    published = published[published["sent"] > 0]
    keys = reporting.rows.message_keys(published["session"], published["seq"])
    order = np.argsort(keys)
    at, known = reporting.rows.find(keys[order], reporting.rows.message_keys(table["peer"], table["seq"]))
    source = np.zeros(len(table), published.dtype)
    source[known] = published[order][at[known]]
    affected = rows.affected[table["session"]]
    affected[known] |= rows.affected[source["session"][known]]
    return pd.DataFrame(
        {
            "receiver": table["session"].astype(np.int64),
            "conn": table["conn"].astype(np.int64),
            "sender": table["peer"].astype(np.int64),
            "seq": table["seq"],
            "scenario": _scenarios(rows, table["session"]),
            **_rooms(rows, np.where(known, source["room"], table["room"])),
            "due_s": _since(rows, source["due"]),
            "sent_s": _since(rows, source["sent"]),
            "arrived_s": _since(rows, table["arrived"]),
            "delivery_ms": _between(source["due"], table["arrived"]),
            "transit_ms": _between(source["sent"], table["arrived"]),
            "read_delay_ms": _between(table["arrived"], table["read"]),
            "known": known,
            "burst": source["flags"] & Flag.BURST > 0,
            **_flags(table, exact=Flag.EXACT, bounded=Flag.BOUNDED, elsewhere=Flag.ELSEWHERE),
            "affected": affected,
        }
    )


def connections(rows: "Rows") -> pd.DataFrame:
    """One line per connection, refused attempts included: opened, closed, by whom, with which code."""
    opened, closed = rows.of(Kind.OPEN), rows.of(Kind.CLOSE)
    beginnings = pd.DataFrame(
        {
            "session": opened["session"].astype(np.int64),
            "conn": opened["conn"].astype(np.int64),
            "scenario": _scenarios(rows, opened["session"]),
            "outcome": _outcomes(opened),
            "open_code": _whole(opened["code"], opened["code"] != 0),
            "due_s": _since(rows, opened["due"]),
            "opened_s": _since(rows, np.where(opened["outcome"] == Outcome.OK, opened["arrived"], 0)),
            "open_ms": _between(opened["due"], np.where(opened["outcome"] == Outcome.OK, opened["arrived"], 0)),
            "implicit": opened["flags"] & Flag.IMPLICIT > 0,
            "affected": rows.affected[opened["session"]],
        }
    )
    ends = pd.DataFrame(
        {
            "session": closed["session"].astype(np.int64),
            "conn": closed["conn"].astype(np.int64),
            "closed_s": _since(rows, closed["arrived"]),
            "closer": _named(closed["peer"], {each: each.name.lower() for each in Closer}),
            "code": _whole(closed["code"], closed["code"] != 0),
        }
    )
    keys = ["session", "conn"]
    frame = beginnings.drop_duplicates(keys, keep="last").merge(ends.drop_duplicates(keys), on=keys, how="left")
    frame["lifetime_s"] = frame["closed_s"] - frame["opened_s"]
    first = ["session", "conn", "scenario", "outcome", "open_code", "due_s", "opened_s", "open_ms"]
    return frame[[*first, "closed_s", "lifetime_s", "closer", "code", "implicit", "affected"]]


def faults(rows: "Rows") -> pd.DataFrame:
    """One line per fault and session: what, to whom, when, until when, and whether the session was there for it."""
    table, lifts = rows.of(Kind.FAULT), rows.of(Kind.LIFT)
    keys = ["session", "plan_index", "occurrence"]
    frame = pd.DataFrame(
        {
            "fault": _named(table["code"], rows.fault_kinds.labels),
            "plan_index": table["peer"].astype(np.int64),
            "occurrence": table["seq"],
            "session": table["session"].astype(np.int64),
            "conn": table["conn"].astype(np.int64),
            **_rooms(rows, table["room"]),
            "due_s": _since(rows, table["due"]),
            "at_s": _since(rows, table["sent"]),
            "done": table["outcome"] == Outcome.OK,
        }
    )
    lifted = pd.DataFrame(
        {
            "session": lifts["session"].astype(np.int64),
            "plan_index": lifts["peer"].astype(np.int64),
            "occurrence": lifts["seq"],
            "lifted_s": _since(rows, lifts["sent"]),
        }
    )
    frame = frame.merge(lifted.drop_duplicates(keys, keep="last"), on=keys, how="left")
    return frame[[name for name in frame if name != "done"] + ["done"]]


def samples(rows: "Rows") -> pd.DataFrame:
    """One line per process and second, a column per gauge; nanoseconds are given as milliseconds."""
    ranks = np.zeros(len(rows.table), np.int64)
    for shard in rows.shards:
        ranks[shard.begin : shard.end] = shard.rank
    chosen = rows.table["kind"] == Kind.SAMPLE
    table = rows.table[chosen]
    gauges = {gauge: gauge.name.lower().replace("_ns", "_ms") for gauge in Gauge}
    long = pd.DataFrame(
        {
            "process": ranks[chosen],
            "at_s": np.floor(_since(rows, table["arrived"])),
            "gauge": _named(table["code"], gauges),
            "value": table["seq"] / np.where(np.isin(table["code"], _IN_NS), 1e6, 1.0),
        }
    )
    wide = long.pivot_table(index=["process", "at_s"], columns="gauge", values="value", aggfunc="last",
                            observed=True)  # fmt: skip
    wide.columns = pd.Index([str(name) for name in wide.columns])
    return wide.reset_index()


_IN_NS = [gauge for gauge in Gauge if gauge.name.endswith("_NS")]


def owed(rows: "Rows") -> pd.DataFrame:
    """One line per delivery that was owed: it was `paid`, may have come `unrecognised`, or else is lost."""
    books = rows.once(reporting.ledger.material)
    found = reporting.ledger.owed(books)
    return pd.DataFrame(
        {
            "receiver": found.receiver,
            "sender": found.sender.astype(np.int64),
            "seq": found.seq,
            **_rooms(rows, found.room),
            "sent_s": _since(rows, found.sent),
            "paid": found.paid,
            "unrecognised": reporting.recognition.unrecognised_deliveries(rows, books),
            "affected": rows.affected[found.receiver] | rows.affected[found.sender],
        }
    )


def _since(rows: "Rows", times_ns: Array) -> Array:
    """Seconds since the run's start; NaN where there is no time."""
    return np.where(times_ns > 0, (times_ns - rows.start_ns) / 1e9, np.nan)


def _between(begin_ns: Array, end_ns: Array) -> Array:
    """Milliseconds between two times; NaN where either is absent."""
    return np.where((begin_ns > 0) & (end_ns > 0), (end_ns - begin_ns) / 1e6, np.nan)


def _whole(values: Array, present: Array) -> Any:
    """Whole numbers, `<NA>` where not `present`."""
    return pd.arrays.IntegerArray(values.astype(np.int64), ~present)


def _flags(table: Array, **flags: int) -> dict[str, Array]:
    return {name: table["flags"] & flag > 0 for name, flag in flags.items()}


def _named(numbers: Array, names: dict[Any, str]) -> pd.Categorical:
    """Numbers by their names; `<NA>` for a number that has none."""
    place = {int(number): at for at, number in enumerate(names)}
    return _categories(numbers, lambda number: place.get(number, -1), list(names.values()))


def _categories(numbers: Array, place: Callable[[int], int], names: Sequence[str]) -> pd.Categorical:
    known, inverse = np.unique(numbers, return_inverse=True)
    codes = np.array([place(int(number)) for number in known], np.int64)
    return pd.Categorical.from_codes(
        codes[inverse] if len(known) else np.empty(0, np.int64), pd.Index(names, dtype="str")
    )


def _code_names(rows: "Rows", codes: Array) -> pd.Categorical:
    """Codes as the endpoint wrote them; `<NA>` where there is none."""
    known = np.unique(codes[codes != 0]).tolist()
    place = {code: at for at, code in enumerate(known)}
    return _categories(codes, lambda code: place.get(code, -1), [rows.code(code) for code in known])


def _outcomes(table: Array) -> pd.Categorical:
    return _named(table["outcome"], {each: each.name.lower() for each in Outcome if each is not Outcome.NONE})


def _scenarios(rows: "Rows", sessions: Array) -> pd.Categorical:
    manifest = rows.manifest
    names = manifest.scenarios.names or (manifest.plan.load.scenario,)
    return _categories(rows.scenario[sessions], lambda number: number, list(names))


def _rooms(rows: "Rows", rooms: Array) -> dict[str, Any]:
    """The columns `room` and `room_name`; the name is `<NA>` where the plan does not say how rooms are named."""
    pattern = rows.manifest.plan.load.room_name
    known = np.unique(rooms[rooms != NO_ROOM]).tolist()
    place = {room: at for at, room in enumerate(known)} if pattern else {}
    names = [fill(pattern, {"room": str(room)}) for room in known] if pattern else []
    return {
        "room": _whole(rooms, rooms != NO_ROOM),
        "room_name": _categories(rooms, lambda room: place.get(room, -1), list(dict.fromkeys(names))),
    }
