"""Squall's public interface: what a scenario, a locustfile or a notebook imports.

    from squall import RealtimeUser, task      # write a scenario
    from squall import open_run                # analyse a recorded run with pandas

Everything is loaded on first use: importing Locust patches sockets, and a notebook must not be patched.
"""

from typing import TYPE_CHECKING, Any

from . import location

location.claim("harness")

if TYPE_CHECKING:
    from harness.engine.users import RealtimeUser, task
    from harness.errors import SquallError
    from harness.record.row import Outcome
    from harness.schedule.pacing import NEVER, Pace, seldom

    from .analysis import Run, open_run
    from .under_locust import run_under_locust

_HOMES = {
    "NEVER": "harness.schedule.pacing",
    "Outcome": "harness.record.row",
    "Pace": "harness.schedule.pacing",
    "RealtimeUser": "harness.engine.users",
    "Run": "squall.analysis",
    "SquallError": "harness.errors",
    "open_run": "squall.analysis",
    "run_under_locust": "squall.under_locust",
    "seldom": "harness.schedule.pacing",
    "task": "harness.engine.users",
}
"""Where each public name is defined."""

__all__ = [
    "NEVER", "Outcome", "Pace", "RealtimeUser", "Run", "SquallError", "open_run", "run_under_locust", "seldom", "task",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'squall' has no attribute '{name}'; there are: {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
