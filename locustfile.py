"""Squall under Locust's own command line: `locust -f locustfile.py`, with its web UI, `--headless` or `--processes 2`.

SQUALL_PLAN names the plan (a file, or a shipped plan's name; default: all defaults, on the embedded endpoint),
SQUALL_OUT the place for run directories (default: runs). Users, spawn rate and run time are Locust's.
"""

from squall import run_under_locust

Scenario = run_under_locust()
