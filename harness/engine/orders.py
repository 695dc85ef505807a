"""Orders: what each process of a run gets from the one that prepared it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from ..faults.fault import Schemas
from ..plan import Plan, build_plan
from ..transport.options import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """One process's share of a run.

    Args:
        path: the run directory.
        nonce: what the ids of this run begin with.
        start_ns: when the first session is due to open, on the monotonic clock.
        rank: which of `processes` this is, from 0.
        schemas: what malformed payloads are made from; empty where the contract has none.
        skipped: faults that this machine does not permit.
        addresses: of the endpoint, as preflight found them; empty: look them up.
        patterns: how the clients of each scenario talk, by scenario index.
    """

    plan: Plan
    path: Path
    nonce: str
    start_ns: int
    rank: int = 0
    processes: int = 1
    schemas: Schemas
    skipped: frozenset[str] = frozenset()
    addresses: tuple[Address, ...] = ()
    patterns: tuple[str, ...] = ("websocket",)

    def for_rank(self, rank: int) -> "Orders":
        """The same run as told to another of its processes."""
        return replace(self, rank=rank)

    def packed(self) -> dict[str, Any]:
        """As plain values, for a message to another process."""
        return {
            "plan": msgspec.json.encode(self.plan).decode(),
            "path": str(self.path.resolve()),
            "nonce": self.nonce,
            "start_ns": self.start_ns,
            "rank": self.rank,
            "processes": self.processes,
            "schemas": msgspec.json.encode(self.schemas).decode(),
            "skipped": sorted(self.skipped),
            "addresses": msgspec.json.encode(self.addresses).decode(),
            "patterns": list(self.patterns),
        }


def unpacked(message: dict[str, Any]) -> Orders:
    """What `Orders.packed` made plain.

    Raises:
        PlanError: the plan in it is wrong.
    """
    return Orders(
        plan=build_plan(msgspec.json.decode(message["plan"])),
        path=Path(message["path"]),
        nonce=message["nonce"],
        start_ns=message["start_ns"],
        rank=message["rank"],
        processes=message["processes"],
        schemas=msgspec.json.decode(message["schemas"], type=Schemas),
        skipped=frozenset(message["skipped"]),
        addresses=msgspec.json.decode(message["addresses"], type=tuple[Address, ...]),
        patterns=tuple(message["patterns"]),
    )
