"""What Locust's command line says and the plan says too: number of users, spawn rate, run time, addresses and ports."""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..errors import PlanError
from ..plan import Load, Plan


def stay_local(parser: Any, **_: Any) -> None:
    """Locust's web UI and RPC listen on every address by default; ours do not.

    With `--processes` its master and workers meet at a free port, which no other process needs to know. At Locust's
    usual one, two runs at the same time would take each other's orders, or fail.
    """
    parser.set_defaults(master_bind_host="127.0.0.1", web_host="127.0.0.1")
    if forks(sys.argv[1:], os.environ):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        parser.set_defaults(master_bind_port=port, master_port=port)


def forks(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether Locust is asked for a master with workers of its own (asked before it has read its command line)."""
    names = {argument.partition("=")[0] for argument in arguments}
    asked = "--processes" in names or "LOCUST_PROCESSES" in environment
    return asked and "--worker" not in names and "LOCUST_MODE_WORKER" not in environment


def as_locust_wants(plan: Plan, environment: Any, runner: Any) -> Plan:
    """The plan with Locust's number of users, spawn rate and run time.

    The ramp is Locust's: users per second, each with its sessions; unless the plan says how many connects per second
    (`arrivals.per_s`): then users need only be there in time.

    Raises:
        PlanError: the plan's mix cannot be dealt to a number of users that Locust chooses.
    """
    options = environment.parsed_options
    if len(plan.load.scenarios) > 1 and plan.load.sessions_per_user > 1:
        raise PlanError(
            "load.mix: Locust's number of users does not say how many of each scenario drive "
            "load.sessions_per_user sessions: set that to 1, or use `squall run`"
        )
    users = max(1, runner.target_user_count or 1)
    rate = getattr(runner, "spawn_rate", None) or getattr(options, "spawn_rate", None) or 1.0
    load = plan.load
    sessions = users * load.sessions_per_user
    changed: dict[str, Any] = {
        "sessions": sessions,
        "rooms": min(load.rooms, sessions),
        # Users come in bursts; their last sessions are due when the next burst would be.
        "ramp_s": (users - (load.sessions_per_user == 1)) / rate,
    }
    run_time = getattr(options, "run_time", None)
    if run_time:
        waits_s = msgspec.structs.replace(plan, load=_roomy(load, changed)).load_start_s
        changed["duration_s"] = max(1.0, float(run_time) - waits_s)
    return msgspec.structs.replace(plan, load=msgspec.structs.replace(load, **changed))


def _roomy(load: Load, changed: dict[str, Any]) -> Load:
    """The load with these changes, before its duration is known."""
    return msgspec.structs.replace(load, **changed, duration_s=1e9)
