"""Preparation: everything around the generator, for `squall run` and for Locust's own command line alike.

    prepare   check what can be checked before anything is recorded, start the embedded endpoint, make the run directory
    finish    seal it

A mistake that can be seen beforehand (an endpoint that refuses, a fault that is not permitted, a list that cannot be
read) is reported before the run begins and leaves no directory behind.
"""

import importlib.metadata
import os
import platform
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ..errors import UsageError
from ..faults.fault import Schemas, reasons_not
from ..plan import Plan, is_loopback, mask_argument, mask_serve
from ..plan.fault_registry import faults
from ..plan.shape import Replay
from ..plan.shipped import find_shipped
from ..record import run_directory
from ..record.row import Damage
from ..schedule.mix import Mix
from ..schedule.replay import keep, read_times
from ..transport.clock import Clock
from ..transport.sockets import kernel_stamps
from .checking import check_silently
from .embedded import Embedded, complete
from .orders import Orders
from .plan_checks import check_plan, is_silent
from .preflight import preflight
from .scenario_loading import Scenarios, load_scenarios
from .timeline import load_ns

SPAWN_NS = 150_000
"""What starting one Locust user takes, generously: the run begins when all are there."""
RECRUIT_NS = 30_000
"""What making one session takes, generously."""
HEADWAY_NS = 300_000_000
VERSIONS = ("squall", "locust", "gevent", "websockets", "msgspec")


@dataclass
class Prepared:
    """A run that can begin; `warnings` are one line each, for people."""

    orders: Orders
    """As for the first of its processes."""
    scenarios: Scenarios
    embedded: Embedded | None
    warnings: list[str] = field(default_factory=list)

    def finish(self, status: run_directory.Status, reason: str = "") -> None:
        """Seal the directory and end the embedded endpoint.

        Raises:
            RunFailed: it cannot be sealed.
        """
        try:
            if self.embedded is not None:
                self.embedded.stop()
                self.embedded.keep_log(self.orders.path / "endpoint.log")
        except OSError:
            pass  # the log is an extra; a full disk is reported by the seal
        finally:
            run_directory.seal(self.orders.path, status, Clock.now(), reason)


def prepare(
    plan: Plan, out: Path, beside: Path | None = None, processes: int = 1, *, dry_run: bool = False
) -> Prepared:  # fmt: skip
    """Check, start, and make the run directory.

    Args:
        plan: as it was read.
        out: where the directory is made.
        beside: the plan's file; None: there is none.
        processes: how many the run is spread over.
        dry_run: let two sessions talk first, unless the endpoint is the embedded one or the plan says not to.

    Raises:
        PlanError: the plan is wrong, or by it nothing that the endpoint sends is recognised.
        RunFailed: the endpoint or its connection list cannot be used, or the directory cannot be made.
        UsageError: an environment variable, a schema or a replay that the plan names is missing or wrong.
    """
    scenarios = load_scenarios(plan.load, beside.parent if beside is not None else None)
    check_plan(plan, scenarios)
    schemas = _schemas(plan, beside)
    times = read_times(plan.load.shape, beside) if isinstance(plan.load.shape, Replay) else None
    embedded = Embedded(plan.endpoint.serve) if plan.endpoint.is_embedded else None
    try:
        served = plan.endpoint.serve
        if embedded is not None:
            plan = complete(plan, embedded.start())
            schemas = schemas or _schemas(plan, beside)
        nonce = run_directory.new_nonce()
        located = plan.located(beside.parent if beside is not None else None)
        addresses, warnings = preflight(located, nonce, scenarios.patterns)
        if dry_run and plan.check.before_run and embedded is None:
            warnings += check_silently(located, nonce, scenarios, addresses)
        reasons = reasons_not(plan.chaos)
        start_ns = (
            Clock.now() + HEADWAY_NS + (SPAWN_NS * plan.load.users + RECRUIT_NS * plan.load.sessions) // processes
        )
        manifest = _manifest(plan, nonce, start_ns, processes, embedded is not None, reasons, served, scenarios)
        path = run_directory.create(out, _safe(plan.name), manifest)
        if times is not None:
            keep(times, path)
    except BaseException:
        if embedded is not None:
            embedded.stop()
        raise
    warnings += [f"skipped {fault}: {reason}" for fault, reason in reasons.items()]
    orders = Orders(
        plan=located, path=path, nonce=nonce, start_ns=start_ns, processes=processes, schemas=schemas,
        skipped=frozenset(reasons), addresses=addresses, patterns=scenarios.patterns,
    )  # fmt: skip
    return Prepared(orders, scenarios, embedded, warnings)


def _schemas(plan: Plan, beside: Path | None) -> Schemas:
    """The JSON Schemas of what is published and posted: beside the plan, or shipped ones.

    Raises:
        UsageError: one is not there, or not a schema.
    """
    found: Schemas = {}
    for what, name in plan.contract.schemas.items():
        near = beside.parent / name if beside is not None else Path(name)
        path = near if near.is_file() else find_shipped("contracts", name)
        try:
            found[what] = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
        except (OSError, msgspec.DecodeError) as error:
            raise UsageError(f"contract.schemas.{what}: {path} is not a JSON Schema: {error}") from None
    return found


def _manifest(
    plan: Plan, nonce: str, start_ns: int, processes: int, embedded: bool, reasons: dict[str, str],
    served: dict[str, Any], scenarios: Scenarios,
) -> dict[str, Any]:  # fmt: skip
    host = plan.endpoint.host
    load_start_ns, load_end_ns = load_ns(plan, start_ns)
    where = "embedded" if embedded else "loopback" if is_loopback(host) else "remote"
    return {
        "nonce": nonce,
        "plan": plan.masked(),
        "digest": plan.digest(),
        "start_ns": start_ns,
        "load_start_ns": load_start_ns,
        "load_end_ns": load_end_ns,
        "topology": {"processes": processes, "endpoint": where, "cores": os.cpu_count(), "serve": mask_serve(served)},
        "host": {
            "name": socket.gethostname(),
            "kernel": f"{platform.system()} {platform.release()}",
            "machine": platform.machine(),
            "python": platform.python_version(),
        },
        "versions": {name: importlib.metadata.version(name) for name in VERSIONS},
        "scenarios": {
            "names": scenarios.names,
            "patterns": scenarios.patterns,
            "parts": Mix(plan.load, plan.seed).table(plan.load.sessions),
        },
        "silent": is_silent(plan, scenarios),
        "stamps": "kernel" if kernel_stamps() else "read",
        "loop": "closed" if plan.load.shape.is_closed else "open",
        "skipped": [{"fault": fault, "reason": reason} for fault, reason in reasons.items()],
        "faults": {
            kind.number: {"label": kind.name, "drops": kind.takes_connection, "deaf": kind.stops_reading}
            for kind in faults().values()
        },
        "damages": {damage.value: damage.label for damage in Damage},
        "command": [Path(sys.argv[0]).name, *map(mask_argument, sys.argv[1:])],
    }


def _safe(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)[:60] or "run"
