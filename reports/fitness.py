"""Fitness: may this run be judged at all? A figure that we cannot stand behind is reported as unfit, with the reason.

It must not know what the figures say about the endpoint. Limits are on ourselves only: our lag, our looking late, our
CPU, our clock, and whether the run went to its end.
"""

from typing import Any

import numpy as np

from harness.model import Flag, Gauge, Kind, Outcome
from harness.rundir import RunDirectory

from .rows import Rows

LAG_P99_MS = 50.0
READ_LAG_P99_MS = 50.0
CPU_P95_PERMILLE = 850
CLOCK_STEP_NS = 1_000_000


def fitness(run: RunDirectory, rows: Rows, figures: dict[str, Any]) -> dict[str, Any]:
    """The verdict on the run itself, every measurement behind it, and each reason why it is unfit."""
    cpu = _gauge(rows, Gauge.CPU_PERMILLE)
    step = int(np.abs(_gauge(rows, Gauge.CLOCK_STEP_NS)).max(initial=0))
    cpu_p95 = float(np.percentile(cpu, 95, method="inverted_cdf")) if len(cpu) else None
    published = rows.of(Kind.PUBLISH)
    found = {
        "lag_p99_ms": figures["lag"]["all"]["p99"],
        "read_lag_p99_ms": figures["read_lag"]["all"]["p99"],
        "cpu_p95": cpu_p95 / 1000 if cpu_p95 is not None else None,
        "resident_max_mib": round(float(_gauge(rows, Gauge.RESIDENT_BYTES).max(initial=0)) / 2**20, 1),
        "loop_lag_max_ms": round(float(_gauge(rows, Gauge.LOOP_LAG_NS).max(initial=0)) / 1e6, 3),
        "late_answers": _last(rows, Gauge.LATE_ANSWERS),
        "clock_step_ms": step / 1e6,
        "planned": len(published),
        "sent": int(np.count_nonzero(published["sent"] > 0)),
        "abandoned": int(np.count_nonzero(published["outcome"] == Outcome.ABANDONED)),
        "never_opened": _never_opened(rows),
        "stamps": _stamps(rows),
    }
    reasons = _reasons(run, rows, found, step)
    return {"verdict": "unfit" if reasons else "fit", "reasons": reasons, **found}


def _reasons(run: RunDirectory, rows: Rows, found: dict[str, Any], step: int) -> list[str]:
    reasons = []
    if run.status == "unsealed":
        reasons.append("the run was killed before it was sealed")
    elif run.status == "failed":
        reasons.append(f"the run failed: {run.reason}")
    if not len(rows.of(Kind.OPEN, Outcome.OK)):
        refusals = [line for line in run.evidence() if line.get("kind") == "refused"]
        said = f": {refusals[0].get('text', '')}" if refusals else ""
        reasons.append(f"no session opened{said}")
    elif not found["sent"]:
        reasons.append("no message was sent")
    if found["never_opened"]:
        reasons.append(
            f"{found['never_opened']} sessions were due to open and the generator did not get to it; give it more CPU, "
            "processes or time"
        )
    for name, limit, what in (
        ("lag_p99_ms", LAG_P99_MS, "the generator sent late"),
        ("read_lag_p99_ms", READ_LAG_P99_MS, "the generator looked late"),
    ):
        value = found[name]
        if value is not None and value > limit:
            reasons.append(f"{what}: p99 {value:.1f} ms, at most {limit:g} is fit; give it more CPU or processes")
    if found["cpu_p95"] is not None and found["cpu_p95"] * 1000 > CPU_P95_PERMILLE:
        reasons.append(f"the generator's CPU was at {found['cpu_p95']:.0%} of a core (p95); use --processes")
    if step > CLOCK_STEP_NS:
        reasons.append(f"the wall clock stepped by {step / 1e6:.1f} ms: arrival stamps cannot be trusted")
    return reasons


def _never_opened(rows: Rows) -> int:
    """Openings that were due before the end of the load and that we did not get to."""
    opened = rows.of(Kind.OPEN, Outcome.ABANDONED)
    return int(np.count_nonzero((opened["sent"] == 0) & (opened["arrived"] == 0)))


def _stamps(rows: Rows) -> dict[str, Any]:
    """Where arrivals come from: the share of exact kernel stamps, of upper bounds, and of our own reading."""
    kinds = (Kind.OPEN, Kind.JOIN, Kind.PUBLISH, Kind.DELIVERY, Kind.LEAVE, Kind.PROBE, Kind.PING)
    came = rows.table[np.isin(rows.table["kind"], kinds) & (rows.table["arrived"] > 0)]
    if not len(came):
        return {"source": rows.manifest.get("stamps"), "exact": None, "bounded": None, "read": None}
    exact = float(np.mean(came["flags"] & Flag.EXACT > 0))
    bounded = float(np.mean(came["flags"] & Flag.BOUNDED > 0))
    return {
        "source": rows.manifest.get("stamps"),
        "exact": round(exact, 4),
        "bounded": round(bounded, 4),
        "read": round(max(0.0, 1 - exact - bounded), 4),
    }


def _gauge(rows: Rows, gauge: Gauge) -> Any:
    samples = rows.of(Kind.SAMPLE)
    return samples["seq"][samples["code"] == gauge]


def _last(rows: Rows, gauge: Gauge) -> int:
    """The sum over processes of a running count's last value."""
    samples = rows.of(Kind.SAMPLE)
    samples = samples[samples["code"] == gauge]
    return sum(int(samples["seq"][samples["session"] == rank][-1]) for rank in np.unique(samples["session"]))
