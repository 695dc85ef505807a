"""The section `run`: what was run, and how it ended."""

import hashlib
from collections.abc import Mapping

import msgspec

from harness.record.run_directory import RunDirectory, Status

from ..manifest import Skipped
from ..registry import section
from ..rows import Rows


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What was run, and how it ended."""

    path: str
    """run directory"""
    name: str
    """name of the plan"""
    status: Status
    """complete, interrupted, failed, or unsealed (killed)"""
    reason: str
    """why it failed; empty otherwise"""
    started: str | None
    """wall-clock time, UTC"""
    duration_s: float
    """from the first connection's due time to the last row"""
    load_start_s: float
    """start of the load, since the first connection was due"""
    load_end_s: float
    """actual end of the load; earlier than planned if the run was interrupted"""
    rows: int
    """number of recorded rows"""
    sessions: int
    """number of planned sessions"""
    sessions_affected: int
    """number of sessions that a fault was injected into"""
    plan_edited: bool
    """whether the plan in `run.json` was changed after the run: it does not fit its digest"""
    silent: bool | None
    """whether nothing was to be published, by design; `null`: not recorded"""
    loop: str
    """`open`, or `closed`: then `response` is not free of coordinated omission"""
    warnings: list[str]
    """torn or missing shards"""
    skipped: list[Skipped]
    """faults that this machine does not permit, with the reason"""


def edited(manifest: Mapping[str, object]) -> bool:
    """Whether the plan of a manifest is not the one that its digest was made of."""
    plan = msgspec.json.encode(manifest.get("plan"), order="deterministic")
    return manifest.get("digest") != hashlib.sha256(plan).hexdigest()


@section("run")
def run(directory: RunDirectory, rows: Rows) -> Run:
    """What was run, and how it ended."""
    manifest = rows.manifest
    return Run(
        path=str(directory.path.resolve()),
        name=manifest.plan.name,
        status=directory.status,
        reason=directory.reason,
        started=manifest.started,
        duration_s=rows.since_start_s(rows.last_ns),
        load_start_s=rows.since_start_s(rows.load_start_ns),
        load_end_s=rows.since_start_s(rows.load_end_ns),
        rows=len(rows.table),
        sessions=manifest.plan.load.sessions,
        sessions_affected=int(rows.affected.sum()),
        plan_edited=edited(directory.manifest),
        silent=manifest.silent,
        loop=manifest.loop,
        warnings=list(directory.warnings),
        skipped=list(manifest.skipped),
    )
