"""Squall under Locust's own command line: `locust -f locustfile.py`, with its web UI, `--headless` or `--processes 2`.

SQUALL_PLAN names the plan: a file or a shipped plan (default: all defaults, on the embedded endpoint). SQUALL_OUT is
the folder for run directories (default: runs). Users, spawn rate and run time are set by Locust's own options.
"""

from squall import run_under_locust

Scenario = run_under_locust()
