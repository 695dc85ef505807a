"""Limits on the generator that a busy machine keeps, for tests that want a fit run and ask not how punctual it was."""

LIMITS = {"lag_p99_ms": 10_000.0, "read_lag_p99_ms": 10_000.0, "cpu_share": 2.0, "bounded_share": 1.0}

LOOSE = tuple(f"--set=fitness.{name}={limit}" for name, limit in LIMITS.items())
"""As options of `squall run`."""

LOOSE_PLAN = "\n".join(["[fitness]", *(f"{name} = {limit}" for name, limit in LIMITS.items())]) + "\n"
"""As a table of a plan."""
