"""How well the rate and the size of an endpoint's token bucket are estimated: simulated rows, then whole runs.

    .venv/bin/python -m benchmarks.throttle [--seeds 10] [--no-runs] [--quick]

The promise is 10 per second with bursts of 20; the endpoint's bucket has that times a factor. Simulated: ten sessions
send 25 messages per second each for 12 s over a network that delays each message by another time (a gamma distribution
with a mean of 10 ms for both ways, in order on each connection). Runs: `squall run` against the reference endpoint with
such a bucket.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from harness.record.row import DTYPE, Kind, Outcome
from reports.manifest import Contract, Load, Manifest, Plan
from reports.rows import Rows
from reports.throttle_limit import Limit, limit

from .table import Table, keep, load_average, say

PER_S, SIZE = 10.0, 20
FACTORS = (0.5, 0.8, 1.0, 1.2, 2.0)
SESSIONS, LOAD_PER_S, SECONDS = 10, 25.0, 12
DELAY_MS = 10.0
START_NS = 10**12
PLAN = """
name = "throttle"
[endpoint]
serve = {{ throttle-per-s = {rate}, throttle-burst = {size} }}
[contract]
throttle_per_s = {per_s}
throttle_burst = {burst}
[load]
sessions = {sessions}
rooms = {sessions}
rate_per_s = {load}
ramp_s = 1.0
duration_s = {seconds}
"""


def simulated(rate: float, size: int, rng: np.random.Generator) -> Rows:
    """The rows of a run against a bucket of this rate and size for each connection."""
    count = round(LOAD_PER_S * SECONDS)
    table = np.zeros(SESSIONS * count, np.dtype(DTYPE))
    for session in range(SESSIONS):
        sent = 2.0 + np.sort(rng.uniform(0, SECONDS, count))
        handled = np.maximum.accumulate(sent + rng.gamma(2, DELAY_MS / 4000, count))
        answered = np.maximum.accumulate(handled + rng.gamma(2, DELAY_MS / 4000, count))
        part = table[session * count : (session + 1) * count]
        part["kind"], part["session"], part["seq"] = Kind.PUBLISH, session, np.arange(count)
        part["sent"] = part["due"] = START_NS + sent * 1e9
        part["arrived"] = START_NS + answered * 1e9
        accepted = passed(handled, rate, size)
        part["outcome"], part["code"] = np.where(accepted, Outcome.OK, Outcome.REJECTED), np.where(accepted, 0, 429)
    contract = Contract(throttle_per_s=PER_S, throttle_burst=SIZE)
    plan = Plan(name="throttle", load=Load(sessions=SESSIONS), contract=contract)
    return Rows(table, Manifest(plan, START_NS, START_NS + 2 * 10**9, START_NS + (2 + SECONDS) * 10**9))


def passed(handled: "np.ndarray", rate: float, size: int) -> list[bool]:
    """Which of these requests a bucket lets through."""
    tokens, before, found = float(size), 0.0, []
    for now in handled.tolist():
        tokens, before = min(size, tokens + (now - before) * rate), now
        found.append(tokens >= 1)
        tokens -= tokens >= 1
    return found


def run(rate: float, size: int, seconds: int) -> dict[str, object]:
    """What a run against the reference endpoint says of its throttle."""
    with tempfile.TemporaryDirectory() as scratch:
        plan = Path(scratch) / "plan.toml"
        plan.write_text(
            PLAN.format(
                rate=rate, size=size, per_s=PER_S, burst=SIZE, sessions=SESSIONS, load=LOAD_PER_S, seconds=seconds
            )
        )
        command = [sys.executable, "-m", "squall", "run", str(plan), "--no-gate", "--out", str(Path(scratch) / "runs")]
        subprocess.run(command, check=False, capture_output=True)
        (report,) = Path(scratch).glob("runs/*/report.json")
        return dict(json.loads(report.read_text())["rejections"]["limit"])


def simulate(seeds: int) -> Table:
    """The table of simulated runs."""
    table = Table(
        f"Simulated, {seeds} seeds each: means, bias in % of the true value, width of the interval in %",
        ("true rate, size", "rate", "bias", "width", "inside", "size", "bias", "width", "inside", "over", "too strict"),
    )
    for factor in FACTORS:
        rate, size = PER_S * factor, round(SIZE * factor)
        found = [limit(simulated(rate, size, np.random.default_rng(seed))) for seed in range(seeds)]
        table.add(f"{rate:g}, {size}", *cells(found, rate, size))
    return table


def cells(found: list[Limit | None], rate: float, size: int) -> list[str]:
    """The figures of one line."""
    limits = [one for one in found if one is not None and one.measured is not None]
    shown = []
    for true, measures in ((rate, [one.measured.rate_per_s for one in limits if one.measured]),
                           (size, [one.measured.size for one in limits if one.measured])):  # fmt: skip
        bounded = [one for one in measures if one.estimate is not None and one.high is not None]
        mean = statistics.mean(one.estimate or 0.0 for one in bounded)
        width = statistics.mean((one.high or 0.0) - one.low for one in bounded)
        inside = sum(one.low <= true <= (one.high or 0.0) for one in bounded)
        shown += [f"{mean:.2f}", f"{mean / true - 1:+.2%}", f"{width / true:.2%}", f"{inside}/{len(found)}"]
    over = statistics.mean(one.accepted_over_limit or 0 for one in limits)
    strict = statistics.mean(one.throttled_within_limit or 0 for one in limits)
    return [*shown, f"{over:.0f}", f"{strict:.0f}"]


def carried_out(seconds: int) -> Table:
    """The table of whole runs."""
    table = Table(
        "One run each against the reference endpoint",
        ("true rate, size", "rate", "at least", "at most", "size", "at least", "at most", "over", "too strict"),
    )
    for factor in FACTORS:
        rate, size = PER_S * factor, round(SIZE * factor)
        found = run(rate, size, seconds)
        measured = found["measured"] or {}
        assert isinstance(measured, dict)
        figures = [
            measured.get(name, {}).get(key) for name in ("rate_per_s", "size") for key in ("estimate", "low", "high")
        ]
        table.add(f"{rate:g}, {size}", *figures, found["accepted_over_limit"], found["throttled_within_limit"])
        say(f"factor {factor}: done")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="simulated runs for each factor")
    parser.add_argument("--no-runs", action="store_true", help="only the simulation")
    parser.add_argument("--quick", action="store_true", help="two seeds and short runs; nothing is kept")
    chosen = parser.parse_args()
    before = load_average()
    tables = [simulate(2 if chosen.quick else chosen.seeds)]
    tables[0].show()
    if not chosen.no_runs:
        tables.append(carried_out(5 if chosen.quick else SECONDS))
        tables[1].show()
    keep(
        "throttle", "Throttle: promised 10 per second, bursts of 20", tables, command="python -m benchmarks.throttle",
        load_before=before, quick=chosen.quick,
    )  # fmt: skip


if __name__ == "__main__":
    main()
