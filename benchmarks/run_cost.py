"""What a run costs the generator: CPU a correlated round trip, memory a session, at 1,000 and 5,000 sessions.

Each case is a whole `squall run` on the embedded endpoint, recording on, Locust users and all; the figures come from
the run's own gauges (CPU and resident memory once a second) over the middle of the load. A round trip is one message
and its ack, matched by id; every session is alone in its room, so one delivery (its own) comes with each.
Memory a session is the difference to a run with one session. CPU seconds, not wall time: the machine may be shared.

    .venv/bin/python benchmarks/run_cost.py [--rounds 3]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from harness.model import DTYPE, ROW_BYTES, Gauge, Kind, Outcome

CASES = ((1_000, 1.0), (1_000, 5.0), (5_000, 1.0))
DURATION_S = 12.0


def measure(sessions: int, rate: float) -> dict[str, float]:
    """One run's figures."""
    with tempfile.TemporaryDirectory() as out:
        settings = {
            "load.sessions": sessions, "load.rooms": sessions, "load.rate_per_s": rate, "load.ramp_s": 5.0,
            "load.duration_s": DURATION_S, "load.settle_s": 1.0, "observe.every_s": 5.0,
            "endpoint.serve": "{throttle-per-s = 1000, throttle-burst = 1000}",
        }  # fmt: skip
        command = [sys.executable, "-m", "harness.cli", "run", "--no-report", "--out", out]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        return figures(Path(done.stdout.strip()))


def figures(run: Path) -> dict[str, float]:
    """CPU and memory over the middle of the load."""
    manifest = json.loads((run / "run.json").read_text())
    rows = np.concatenate([np.fromfile(shard, np.dtype(DTYPE), offset=ROW_BYTES) for shard in run.glob("*.rows")])
    begin, end = manifest["load_start_ns"] + 2_000_000_000, manifest["load_end_ns"] - 1_000_000_000
    samples = rows[(rows["kind"] == Kind.SAMPLE) & (rows["arrived"] > begin) & (rows["arrived"] <= end)]
    published = rows[(rows["kind"] == Kind.PUBLISH) & (rows["outcome"] == Outcome.OK)]
    cpu = samples[samples["code"] == Gauge.CPU_PERMILLE]
    first, last = cpu["arrived"].min(), cpu["arrived"].max()
    trips = np.count_nonzero((published["read"] > first) & (published["read"] <= last))
    cpu_s = cpu["seq"][1:].sum() / 1000 * (last - first) / 1e9 / (len(cpu) - 1)
    resident = samples["seq"][samples["code"] == Gauge.RESIDENT_BYTES]
    return {
        "trips_per_s": trips / ((last - first) / 1e9),
        "cpu_us": cpu_s / max(1, trips) * 1e6,
        "cpu_share": cpu["seq"].mean() / 1000,
        "resident_bytes": float(np.median(resident)),
        "lag_p99_ms": float(np.percentile((published["sent"] - published["due"]) / 1e6, 99)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    alone = statistics.median(measure(1, 1.0)["resident_bytes"] for _ in range(rounds))
    print(f"medians of {rounds} rounds; an empty run (one session) is resident in {alone / 2**20:.0f} MiB")
    print("sessions  msg/s each  trips/s  CPU us/trip  CPU share  lag p99 ms  KiB/session")
    for sessions, rate in CASES:
        found = [measure(sessions, rate) for _ in range(rounds)]
        middle = {key: statistics.median(one[key] for one in found) for key in found[0]}
        kib = (middle["resident_bytes"] - alone) / sessions / 1024
        print(
            f"{sessions:8}  {rate:10g}  {middle['trips_per_s']:7.0f}  {middle['cpu_us']:11.1f}"
            f"  {middle['cpu_share']:9.2f}  {middle['lag_p99_ms']:10.2f}  {kib:11.1f}"
        )


if __name__ == "__main__":
    main()
