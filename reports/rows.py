"""A run's rows in memory: all shards as one array, picked by kind, with the groups that every figure is given for.

Rows of one session are in one shard in the order in which they were read, and shards are joined whole, so "earlier in
the array" means "earlier seen" for any one session. All arrays are read-only, since they are shared.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import RunDirectoryError
from harness.record.codes import LEAST_PLAIN, NO_CODE, code_text
from harness.record.row import (
    CONN_BITS,
    DTYPE,
    OUR_ERRNOS,
    ROW_BYTES,
    SEQ_BITS,
    SESSION_BITS,
    Flag,
    Gauge,
    Kind,
    Outcome,
)
from harness.record.run_directory import RunDirectory, Shard

from .faults import Faults
from .manifest import Contract, Manifest

Array = NDArray[Any]
T = TypeVar("T")

NOT_A_MESSAGE = -1
"""The key of a (session, sequence number) that is out of range: an endpoint made it up."""
NOT_OUR_LAG = Flag.BURST | Flag.WAITED
"""A burst is late by intention, and a request that waited for its HTTP connection was delayed by the endpoint."""


class Slice(NamedTuple):
    """The rows of one shard, from `begin` up to `end` in the table; `rank` is the process."""

    rank: int
    begin: int
    end: int


@dataclass(frozen=True)
class Rows:
    """Every row of a run, by shard, and its manifest.

    Args:
        table: the rows in the order of their shards.
        manifest: what the run was.
        shards: which rows each process wrote.
        interrupted: the run ended before its plan did, by hand or because it was killed.
        code_names: the canonical JSON of codes that are no plain numbers, by the number in the rows.
    """

    table: Array
    manifest: Manifest
    shards: tuple[Slice, ...] = ()
    interrupted: bool = False
    code_names: Mapping[int, str] = field(default_factory=dict)

    def code(self, number: int) -> str:
        """A code as the endpoint wrote it; `none` where it gave none.

        Args:
            number: the `code` column of a row of a request or malformed payload that was refused.
        """
        if number == NO_CODE:
            return "none"
        if number >= LEAST_PLAIN:
            return str(number)
        name = self.code_names.get(number) or self.contract.named_codes.get(number)
        return code_text(name) if name is not None else f"unnamed {number}"

    def of(self, kind: Kind, outcome: Outcome | None = None) -> Array:
        """The rows of one kind, and of one outcome if given, in order; computed once."""
        if (kind, outcome) not in self._picked:
            found = self._by_kind[kind]
            if outcome is not None:
                found = _fixed(found[found["outcome"] == outcome])
            self._picked[kind, outcome] = found
        return self._picked[kind, outcome]

    def once(self, compute: Callable[["Rows"], T]) -> T:
        """What a function makes of these rows, computed when it is first asked for."""
        if compute not in self._computed:
            self._computed[compute] = compute(self)
        made: T = self._computed[compute]
        return made

    @cached_property
    def _computed(self) -> dict[Callable[["Rows"], Any], Any]:
        return {}

    @cached_property
    def _picked(self) -> dict[tuple[Kind, Outcome | None], Array]:
        return {}

    @cached_property
    def _by_kind(self) -> dict[Kind, Array]:
        """All rows, sorted by kind once: each kind is a view of that one copy."""
        kinds = np.ascontiguousarray(self.table["kind"])
        ordered = _fixed(self.table[np.argsort(kinds, kind="stable")])
        ends = np.cumsum(np.bincount(kinds, minlength=max(Kind) + 1))
        return {kind: ordered[ends[kind - 1] : ends[kind]] for kind in Kind}

    @cached_property
    def sent(self) -> Array:
        """The messages that were sent; one that was not planned (due 0) is due when it was sent."""
        published = self.of(Kind.PUBLISH)
        found: Array = published[published["sent"] > 0]
        found["due"] = np.where(found["due"] > 0, found["due"], found["sent"])
        return _fixed(found)

    @cached_property
    def ordinary(self) -> Array:
        """The messages that were sent, without bursts."""
        return _fixed(self.sent[self.sent["flags"] & Flag.BURST == 0])

    @cached_property
    def answered(self) -> Array:
        """The ordinary messages that were accepted."""
        found = self.ordinary
        return _fixed(found[(found["outcome"] == Outcome.OK) & (found["arrived"] > 0)])

    @cached_property
    def on_schedule(self) -> Array:
        """The messages whose send delay is the generator's own: planned, and sent without waiting for a connection."""
        published = self.of(Kind.PUBLISH)
        planned = (published["sent"] > 0) & (published["due"] > 0)
        return _fixed(published[planned & (published["flags"] & NOT_OUR_LAG == 0)])

    @cached_property
    def bursts(self) -> Array:
        """The messages that were sent in bursts."""
        return _fixed(self.sent[self.sent["flags"] & Flag.BURST > 0])

    @cached_property
    def fault_kinds(self) -> Faults:
        """What the numbers of faults mean in this run."""
        return Faults(self.manifest.faults)

    @cached_property
    def faults(self) -> Array:
        """The faults that were injected."""
        return self.of(Kind.FAULT, Outcome.OK)

    @cached_property
    def drops(self) -> Array:
        """The injected faults that took a connection away."""
        return _fixed(self.faults[np.isin(self.faults["code"], self.fault_kinds.drops)])

    def lifted_ns(self, faults: Array) -> Array:
        """When each of these faults, which last, was lifted; the end of the run where it was not."""
        lifts = self.of(Kind.LIFT)
        ends = np.full(len(faults), self.last_ns)
        for at, fault in enumerate(faults):
            mine = (connection_keys(lifts) == connection_keys(fault)) & (lifts["code"] == fault["code"])
            mine &= lifts["sent"] >= fault["sent"]
            ends[at] = lifts["sent"][mine].min(initial=self.last_ns)
        return ends

    @cached_property
    def affected(self) -> Array:
        """For each session number: whether a fault was ever injected into it (then it counts for the whole run)."""
        size = int(self.table["session"].max(initial=0)) + 1
        size = max(size, self.manifest.plan.load.sessions)
        found = np.zeros(size, dtype=bool)
        found[self.faults["session"]] = True
        return _fixed(found)

    @cached_property
    def scenario(self) -> Array:
        """For each session number: the index of its scenario in the run's list."""
        indexes = np.array(self.manifest.scenarios.parts or (0,))
        return _fixed(indexes[np.arange(len(self.affected)) % len(indexes)])

    @cached_property
    def polled(self) -> Array:
        """For each session number: whether it received by polling, and so had no lasting connection."""
        return np.isin(self.scenario, self._scenarios_of("polling"))

    @cached_property
    def posted(self) -> Array:
        """For each session number: whether it sent its messages by REST."""
        return np.isin(self.scenario, self._scenarios_of("polling", "hybrid"))

    def _scenarios_of(self, *wanted: str) -> list[int]:
        patterns = self.manifest.scenarios.patterns or ("websocket",)
        return [index for index, pattern in enumerate(patterns) if pattern in wanted]

    @cached_property
    def last_ns(self) -> int:
        """When anything was recorded last."""
        if not len(self.table):
            return self.manifest.start_ns
        return max(int(self.table[name].max()) for name in ("sent", "arrived", "read"))

    @property
    def start_ns(self) -> int:
        """When the run began: the first connection was due."""
        return self.manifest.start_ns

    def since_start_s(self, time_ns: int) -> float:
        """A time as seconds since the run began, to a millisecond."""
        return round((int(time_ns) - self.start_ns) / 1e9, 3)

    @property
    def load_start_ns(self) -> int:
        """When the load began; when it ended, if the run did not get so far."""
        return min(self.manifest.load_start_ns, self.load_end_ns)

    @cached_property
    def load_end_ns(self) -> int:
        """When the load ended: as planned, or when the run was interrupted.

        Each process records its end; where none had the time to, it is the last row.
        """
        samples, planned = self.of(Kind.SAMPLE), self.manifest.load_end_ns
        ends = samples["arrived"][samples["code"] == Gauge.MISSED]
        if len(ends):
            return min(planned, int(ends.max()))
        return min(planned, self.last_ns) if self.interrupted else planned

    @property
    def contract(self) -> Contract:
        """What the endpoint promised, by the plan."""
        return self.manifest.plan.contract


def load(run: RunDirectory) -> Rows:
    """Read the whole rows of all shards.

    Raises:
        RunDirectoryError: a shard cannot be read, or the manifest lacks what figures need.
    """
    for key in ("plan", "start_ns", "load_start_ns", "load_end_ns"):
        if key not in run.manifest:
            raise RunDirectoryError(f"{run.path} cannot be reported: its run.json has no {key}")
    try:
        manifest = msgspec.convert(run.manifest, Manifest, str_keys=True)
    except msgspec.ValidationError as error:
        raise RunDirectoryError(f"{run.path} cannot be reported: its run.json is wrong: {error}") from error
    shards = [shard for shard in run.shards if shard.rows]
    try:
        tables = [_mapped(shard) for shard in shards]
    except OSError as error:
        raise RunDirectoryError(f"{run.path} cannot be read: {error.strerror}") from error
    table = tables[0] if len(tables) == 1 else np.concatenate([np.empty(0, np.dtype(DTYPE)), *tables])
    ends = np.cumsum([len(each) for each in tables]).tolist()
    slices = tuple(Slice(shard.rank, end - shard.rows, end) for shard, end in zip(shards, ends, strict=True))
    names = {int(line["code"]): str(line["text"]) for line in run.evidence() if line.get("kind") == "code"}
    return Rows(_fixed(table), manifest, slices, run.status in ("interrupted", "unsealed"), names)


def _fixed(found: Array) -> Array:
    found.flags.writeable = False
    return found


def _mapped(shard: Shard) -> Array:
    """The rows of a shard, read from the disk when they are looked at, and never written."""
    return np.asarray(np.memmap(shard.path, np.dtype(DTYPE), "r", offset=ROW_BYTES, shape=(shard.rows,)))


def message_keys(sessions: Array, seqs: Array) -> Array:
    """One number for each (sender, sequence number); NOT_A_MESSAGE where one is out of range."""
    wide = sessions.astype(np.int64)
    valid = (wide < 1 << SESSION_BITS) & (seqs >= 0) & (seqs < 1 << SEQ_BITS)
    keys: Array = np.where(valid, wide << SEQ_BITS | seqs, NOT_A_MESSAGE)
    return keys


def find(sorted_keys: Array, wanted: Array) -> tuple[Array, Array]:
    """The index of each wanted key in a sorted array, and whether it is there at all."""
    if not len(sorted_keys):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(sorted_keys, wanted), len(sorted_keys) - 1)
    return at, sorted_keys[at] == wanted


def connection_keys(found: Array) -> Array:
    """One number for each connection of a session."""
    keys: Array = found["session"].astype(np.int64) << CONN_BITS | found["conn"]
    return keys


def ran_out(found: Array) -> Array:
    """Which of these rows are operations that failed because this machine ran out of something."""
    ours: Array = (found["outcome"] == Outcome.CLOSED) & np.isin(found["code"], list(OUR_ERRNOS))
    return ours


def connections(found: Array) -> set[tuple[int, int]]:
    """The (session, connection) pairs of these rows."""
    return set(zip(found["session"].tolist(), found["conn"].tolist(), strict=True))
