"""A run's rows in memory: all shards as one array, picked by kind, with the groups that every figure is given for.

It must not know what is computed from them. The subtle thing: rows of one session stand in one shard in the order in
which they were read, and shards are joined whole, so "earlier in the array" means "earlier seen" for any one session.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.errors import RunDirectoryError
from harness.record.row import DTYPE, ROW_BYTES, Flag, Gauge, Kind, Outcome
from harness.record.run_directory import RunDirectory, Shard

from .faults import Faults

Array = NDArray[Any]

SEQ_BITS = 36
"""Sessions and sequence numbers make one 64-bit key: 2^27 sessions, 2^36 messages each."""
NOT_OUR_LAG = Flag.BURST | Flag.WAITED
"""A burst is late by its own making; what waited for its HTTP connection, by the endpoint's."""


class Slice(NamedTuple):
    """The rows of one shard, from `begin` up to `end` in the table; `rank` is whose."""

    rank: int
    begin: int
    end: int


@dataclass(frozen=True)
class Rows:
    """Every row of a run, by shard, and its manifest."""

    table: Array
    manifest: dict[str, Any]
    shards: tuple[Slice, ...] = ()
    interrupted: bool = False
    """Or killed: before the end that was planned, in any case."""

    def of(self, kind: Kind, outcome: Outcome | None = None) -> Array:
        """The rows of one kind, and of one outcome if given, in order."""
        wanted = self.table["kind"] == kind
        if outcome is not None:
            wanted &= self.table["outcome"] == outcome
        found: Array = self.table[wanted]
        return found

    @cached_property
    def fault_kinds(self) -> Faults:
        """What the numbers of faults mean in this run."""
        return Faults(self.manifest)

    @cached_property
    def faulted(self) -> Array:
        """For each session number: whether chaos ever struck it (then it counts as faulted for the whole run)."""
        size = int(self.table["session"].max(initial=0)) + 1
        size = max(size, int(self.manifest["plan"]["load"]["sessions"]))
        struck = np.zeros(size, dtype=bool)
        struck[self.of(Kind.FAULT, Outcome.OK)["session"]] = True
        return struck

    @cached_property
    def parts(self) -> Array:
        """For each session number: which of the run's scenarios it played, by its place in their list."""
        seats = np.array(self.manifest.get("scenarios", {}).get("parts") or [0])
        return seats[np.arange(len(self.faulted)) % len(seats)]

    @cached_property
    def polled(self) -> Array:
        """For each session number: whether it heard by polling, and so had no lasting connection."""
        return np.isin(self.parts, self._parts_of("polling"))

    @cached_property
    def posted(self) -> Array:
        """For each session number: whether its messages went by REST."""
        return np.isin(self.parts, self._parts_of("polling", "hybrid"))

    def _parts_of(self, *wanted: str) -> list[int]:
        patterns = self.manifest.get("scenarios", {}).get("patterns") or ["websocket"]
        return [part for part, pattern in enumerate(patterns) if pattern in wanted]

    @cached_property
    def last_ns(self) -> int:
        """When anything was recorded last."""
        if not len(self.table):
            return int(self.manifest["start_ns"])
        return max(int(self.table[name].max()) for name in ("sent", "arrived", "read"))

    @property
    def start_ns(self) -> int:
        """When the run began: the first opening was due."""
        return int(self.manifest["start_ns"])

    @property
    def load_start_ns(self) -> int:
        """When the load began; when it ended, where it had not got so far."""
        return min(int(self.manifest["load_start_ns"]), self.load_end_ns)

    @cached_property
    def load_end_ns(self) -> int:
        """When the load ended: as planned, or when the run was interrupted, which each process says at its end; where
        none had the time to, with the last row.
        """
        samples, planned = self.of(Kind.SAMPLE), int(self.manifest["load_end_ns"])
        said = samples["arrived"][samples["code"] == Gauge.MISSED]
        if len(said):
            return min(planned, int(said.max()))
        return min(planned, self.last_ns) if self.interrupted else planned

    @property
    def contract(self) -> dict[str, Any]:
        """What the endpoint promised, as the plan says."""
        promised: dict[str, Any] = self.manifest["plan"]["contract"]
        return promised


def load(run: RunDirectory) -> Rows:
    """Read the whole rows of all shards.

    Raises:
        RunDirectoryError: a shard cannot be read, or the manifest lacks what figures need.
    """
    for key in ("plan", "start_ns", "load_start_ns", "load_end_ns"):
        if key not in run.manifest:
            raise RunDirectoryError(f"{run.path} cannot be reported: its run.json has no {key}")
    shards = [shard for shard in run.shards if shard.rows]
    try:
        tables = [_mapped(shard) for shard in shards]
    except OSError as error:
        raise RunDirectoryError(f"{run.path} cannot be read: {error.strerror}") from error
    table = tables[0] if len(tables) == 1 else np.concatenate([np.empty(0, np.dtype(DTYPE)), *tables])
    ends = np.cumsum([len(each) for each in tables]).tolist()
    slices = tuple(Slice(shard.rank, end - shard.rows, end) for shard, end in zip(shards, ends, strict=True))
    return Rows(table, run.manifest, slices, run.status in ("interrupted", "unsealed"))


def _mapped(shard: Shard) -> Array:
    """The rows of a shard, read from the disk when they are looked at, and never written."""
    return np.asarray(np.memmap(shard.path, np.dtype(DTYPE), "r", offset=ROW_BYTES, shape=(shard.rows,)))


def message_keys(sessions: Array, seqs: Array) -> Array:
    """One number for each (sender, sequence number)."""
    keys: Array = (sessions.astype(np.int64) << SEQ_BITS) | seqs
    return keys


def find(sorted_keys: Array, wanted: Array) -> tuple[Array, Array]:
    """Where each wanted key stands in a sorted array, and whether it is there at all."""
    if not len(sorted_keys):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(sorted_keys, wanted), len(sorted_keys) - 1)
    return at, sorted_keys[at] == wanted


def sources(rows: Rows, sent: Array) -> tuple[Array, Array]:
    """The deliveries of the ordinary ones (no burst) among these messages, and for each the message it is of."""
    ordinary = sent[sent["flags"] & Flag.BURST == 0]
    keys = message_keys(ordinary["session"], ordinary["seq"])
    order = np.argsort(keys)
    delivered = rows.of(Kind.DELIVERY)
    at, known = find(keys[order], message_keys(delivered["peer"], delivered["seq"]))
    return delivered[known], ordinary[order][at[known]]
