"""Squall under Locust's own command line: `locust -f locustfile.py`, with its web UI, `--headless` or `--processes 2`.

SQUALL_PLAN names the plan (a file, or a shipped plan's name; default: all defaults, on the embedded endpoint),
SQUALL_OUT the place for run directories (default: runs). Users, spawn rate and run time are Locust's.
"""

import sys

from locust import events

from harness.casting import cast
from harness.errors import SquallError
from harness.swarm import install, plan_from_environment

try:
    plan, beside = plan_from_environment()
    Scenario = cast(plan.load).user
except SquallError as error:
    print(f"squall: {error}", file=sys.stderr)
    sys.exit(error.exit_code)

install(events, plan, beside)
