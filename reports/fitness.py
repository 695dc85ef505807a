"""Fitness: may this run be judged at all? A figure that we cannot stand behind is reported as unfit, with the reason.

It must not know what the figures say about the endpoint. Limits are on ourselves only (the plan's `[fitness]`): each
process's lag, looking late, CPU, clock, stamps and descriptors, what it never sent, what it had none left of, and
whether it went to its end.
"""

import errno
import os
from typing import Any

import msgspec
import numpy as np

from harness.plan import Fitness
from harness.record.row import OUR_ERRNOS, Gauge, Kind, Outcome
from harness.record.run_directory import RunDirectory

from .percentile import percentile
from .processes import Process, all_processes, spans
from .rows import Rows

SECOND = 1_000_000_000
EARLY_NS = 3 * SECOND
LOOSE_MS = 10.0
"""An upper bound is off by at most the time that we looked late: below this it is as good as exact."""
FEW = 100
"""Percentiles of a process stand on at least so many values, shares of arrivals too."""

ADVICE = {
    "EMFILE": "; raise the limit (ulimit -Hn), or use --processes",
    "ENFILE": "; raise fs.file-max",
    "EADDRNOTAVAIL": "; give endpoint.source_addresses",
}


def fitness(run: RunDirectory, rows: Rows, figures: dict[str, Any]) -> dict[str, Any]:
    """The verdict on the run itself, every measurement behind it by process, and each reason why it is unfit."""
    limits = msgspec.convert(rows.manifest["plan"].get("fitness", {}), Fitness)
    promised = rows.manifest.get("stamps") == "kernel"
    judged = [_judge(process, limits, promised) for process in all_processes(rows)]
    published = rows.of(Kind.PUBLISH)
    reasons = [*_whole(run, rows, published), *_shards(run, rows, judged)]
    several = len(judged) > 1
    notes = _cut_short(run, rows)
    for one in judged:
        whose = f"process {one['process']}: " if several else ""
        reasons += [f"{whose}{reason}" for reason in one.pop("reasons")]
        notes += [f"{whose}{note}" for note in one.pop("notes")]

    def most(name: str) -> Any:
        return max((one[name] for one in judged if one[name] is not None), default=None)

    missed = [one["missed"] for one in judged if one["missed"] is not None]
    return {
        "verdict": "unfit" if reasons else "fit",
        "reasons": reasons,
        "notes": notes,
        "limits": msgspec.to_builtins(limits),
        "lag_p99_ms": figures["lag"]["all"]["p99"],
        "read_lag_p99_ms": figures["read_lag"]["all"]["p99"],
        "cpu_p95": most("cpu_p95"),
        "resident_max_mib": most("resident_max_mib") or 0.0,
        "loop_lag_max_ms": most("loop_lag_max_ms") or 0.0,
        "unsent_max_bytes": most("unsent_max_bytes") or 0,
        "late_answers": sum(one["late_answers"] for one in judged),
        "clock_step_ms": most("clock_step_ms") or 0.0,
        "planned": len(published) + sum(missed),
        "sent": int(np.count_nonzero(published["sent"] > 0)),
        "abandoned": int(np.count_nonzero(published["outcome"] == Outcome.ABANDONED)),
        "never_opened": _never_opened(rows),
        "never_logged_in": _never_logged_in(rows),
        "missed": sum(missed) if missed else None,
        "stamps": {"source": rows.manifest.get("stamps"), **_all_stamps(judged)},
        "unfit_seconds": sorted(
            {second for one in judged for found in one["unfit_seconds"].values() for second in found}
        ),
        "processes": judged,
    }


def _whole(run: RunDirectory, rows: Rows, published: Any) -> list[str]:
    """What is wrong with the run as a whole."""
    reasons = []
    if run.status == "unsealed":
        reasons.append("the run was killed before it was sealed")
    elif run.status == "failed":
        reasons.append(f"the run failed: {run.reason}")
    if not len(rows.of(Kind.OPEN, Outcome.OK)):
        refusals = [line for line in run.evidence() if line.get("kind") == "refused"]
        said = f": {refusals[0].get('text', '')}" if refusals else ""
        reasons.append(f"no session opened{said}")
    elif not np.count_nonzero(published["sent"] > 0):
        reasons.append("no message was sent")
    if never := _never_opened(rows):
        reasons.append(
            f"{never} sessions were due to open and the generator did not get to it; give it more CPU, "
            "processes or time"
        )
    if (never := _never_logged_in(rows)) and run.status != "interrupted":
        reasons.append(
            f"{never} sessions never opened: they were still at their login, or waiting for their turn, when they had "
            "to go; give the ramp more time, or raise at_once in [endpoint.auth]"
        )
    return reasons


def _cut_short(run: RunDirectory, rows: Rows) -> list[str]:
    """What is to be known of a run that was ended by hand: its figures are good, and of a part only."""
    planned_ns = int(rows.manifest["load_end_ns"])
    if run.status != "interrupted" or rows.load_end_ns >= planned_ns:
        return []
    ran_s = (rows.load_end_ns - rows.load_start_ns) / SECOND
    whole_s = (planned_ns - int(rows.manifest["load_start_ns"])) / SECOND
    return [f"the run was interrupted: its figures are of {ran_s:.1f} s of load where {whole_s:g} s were planned"]


def _never_opened(rows: Rows) -> int:
    """Openings that were due before the end of the load and that we did not get to."""
    opened = rows.of(Kind.OPEN, Outcome.ABANDONED)
    return int(np.count_nonzero((opened["sent"] == 0) & (opened["arrived"] == 0)))


def _never_logged_in(rows: Rows) -> int:
    """Sessions that never opened because each time they were given up before their login was over: no SYN was sent."""
    opened = rows.of(Kind.OPEN)
    waiting = (opened["outcome"] == Outcome.ABANDONED) & (opened["sent"] == 0) & (opened["arrived"] > 0)
    others = opened["session"][~waiting]
    return len(np.setdiff1d(opened["session"][waiting], others))


def _shards(run: RunDirectory, rows: Rows, judged: list[dict[str, Any]]) -> list[str]:
    """Processes of which nothing is known, or nothing from some time on."""
    reasons = list(run.incomplete)
    expected = int(rows.manifest.get("topology", {}).get("processes") or 0)
    present = {one["process"] for one in judged}
    reasons += [
        f"process {rank} left no rows: what its sessions did is unknown"
        for rank in range(expected)
        if rank not in present
    ]
    if run.status == "unsealed":
        return reasons
    last = {one["process"]: one["last_sample_s"] or 0.0 for one in judged}
    end_s = (rows.load_end_ns - rows.start_ns) / SECOND
    return reasons + [
        f"process {rank} fell silent {end_s - until:.0f} s before the end of the load"
        for rank, until in last.items()
        if run.status != "failed" and until < end_s - EARLY_NS / SECOND
    ]


def _judge(process: Process, limits: Fitness, promised: bool) -> dict[str, Any]:
    """One process: its measurements, the reasons why it is unfit, and notes on seconds that were although it is fit."""
    cpu = process.gauge(Gauge.CPU_PERMILLE)["seq"]
    published = process.of(Kind.PUBLISH)
    lags, read_lags = process.lags, process.read_lags
    samples = process.of(Kind.SAMPLE)
    found: dict[str, Any] = {
        "process": process.rank,
        "lag_p99_ms": percentile(lags[1], 0.99) if len(lags[1]) >= FEW else None,
        "read_lag_p99_ms": percentile(read_lags[1], 0.99) if len(read_lags[1]) >= FEW else None,
        "cpu_p95": float(np.percentile(cpu, 95, method="inverted_cdf")) / 1000 if len(cpu) else None,
        "resident_max_mib": _scaled(process.most(Gauge.RESIDENT_BYTES), 2**20, 1),
        "loop_lag_max_ms": _scaled(process.most(Gauge.LOOP_LAG_NS), 1e6, 3),
        "unsent_max_bytes": process.most(Gauge.UNSENT_BYTES),
        "clock_step_ms": float(np.abs(process.gauge(Gauge.CLOCK_STEP_NS)["seq"]).max(initial=0)) / 1e6,
        "late_answers": process.last(Gauge.LATE_ANSWERS) or 0,
        "descriptors_grown": process.descriptors_grown(),
        "exhausted": _exhausted(process),
        "published": len(published),
        "missed": process.last(Gauge.MISSED),
        "stamps": process.stamps(),
        "last_sample_s": (int(samples["arrived"].max()) - process.start_ns) / SECOND if len(samples) else None,
        "unfit_seconds": {
            "lag": process.bad_seconds(lags, limits.lag_p99_ms),
            "read_lag": process.bad_seconds(read_lags, limits.read_lag_p99_ms),
            "cpu": process.busy_seconds(limits.cpu_share * 1000),
        },
    }
    return found | {"reasons": _reasons(found, limits, promised), "notes": _notes(found, limits)}


def _reasons(found: dict[str, Any], limits: Fitness, promised: bool) -> list[str]:
    reasons = []
    bad = {name: f" ({spans(seconds)})" if seconds else "" for name, seconds in found["unfit_seconds"].items()}
    for name, what in (("lag", "sent late: lag"), ("read_lag", "looked late: read lag")):
        value, limit = found[f"{name}_p99_ms"], getattr(limits, f"{name}_p99_ms")
        if value is not None and value > limit:
            waited = found["unsent_max_bytes"] if name == "lag" else 0
            advice = (
                f"up to {waited} bytes waited for the endpoint to take them" if waited
                else "give it more CPU or processes"
            )  # fmt: skip
            reasons.append(f"the generator {what} p99 {value:.1f} ms, at most {limit:g} is fit{bad[name]}; {advice}")
    if found["cpu_p95"] is not None and found["cpu_p95"] > limits.cpu_share:
        reasons.append(
            f"the generator's CPU was at {found['cpu_p95']:.0%} of a core (p95), at most {limits.cpu_share:.0%} is fit"
            f"{bad['cpu']}; use --processes"
        )
    missed, planned = found["missed"] or 0, found["published"] + (found["missed"] or 0)
    if missed > limits.missed_share * planned:
        reasons.append(f"the generator sent less than planned: {missed} of {planned} messages were due and never sent")
    if found["clock_step_ms"] > limits.clock_step_ms:
        reasons.append(f"the wall clock stepped by {found['clock_step_ms']:.1f} ms: arrival stamps cannot be trusted")
    arrived = found["stamps"]
    if promised and arrived["arrivals"] >= FEW:
        if arrived["read"] > limits.unstamped_share:
            reasons.append(f"kernel stamps are missing: {arrived['read']:.1%} of the arrivals have none")
        if arrived["bounded"] > limits.bounded_share and (found["read_lag_p99_ms"] or 0.0) > LOOSE_MS:
            reasons.append(
                f"{arrived['bounded']:.1%} of the arrivals are upper bounds only, at most {limits.bounded_share:.0%} "
                f"is fit when we look {found['read_lag_p99_ms']:.0f} ms late (p99); more processes look sooner"
            )
    reasons += [
        f"{count} operations of the generator's failed because this machine had no more: "
        f"{os.strerror(getattr(errno, name))} ({name}){ADVICE.get(name, '')}"
        for name, count in found["exhausted"].items()
    ]
    grown = found["descriptors_grown"]
    if grown is not None and grown > limits.spare_descriptors:
        reasons.append(f"the generator's open descriptors grew by {grown} while its sessions did not: it leaks")
    return reasons


def _exhausted(process: Process) -> dict[str, int]:
    """How many operations failed for want of what this machine should have had, by the name of the errno."""
    failed = process.table[process.table["outcome"] == Outcome.CLOSED]
    codes, counts = np.unique(failed["code"][np.isin(failed["code"], list(OUR_ERRNOS))], return_counts=True)
    return {errno.errorcode[int(code)]: int(count) for code, count in zip(codes, counts, strict=True)}


def _notes(found: dict[str, Any], limits: Fitness) -> list[str]:
    """Seconds that were over a limit in a process that is within it over the whole run."""
    notes = []
    for name, what in (("lag", "sent late"), ("read_lag", "looked late")):
        value, limit = found[f"{name}_p99_ms"], getattr(limits, f"{name}_p99_ms")
        if found["unfit_seconds"][name] and (value is None or value <= limit):
            notes.append(f"the generator {what} in {spans(found['unfit_seconds'][name])} (p99 over {limit:g} ms)")
    if found["unfit_seconds"]["cpu"] and (found["cpu_p95"] or 0) <= limits.cpu_share:
        seconds = spans(found["unfit_seconds"]["cpu"])
        notes.append(f"the generator's CPU was over {limits.cpu_share:.0%} of a core in {seconds}")
    return notes


def _all_stamps(judged: list[dict[str, Any]]) -> dict[str, Any]:
    """The shares over all processes."""
    count = sum(one["stamps"]["arrivals"] for one in judged)
    if not count:
        return dict.fromkeys(("exact", "bounded", "read"))
    return {
        name: round(sum((one["stamps"][name] or 0.0) * one["stamps"]["arrivals"] for one in judged) / count, 4)
        for name in ("exact", "bounded", "read")
    }


def _scaled(value: int | None, unit: float, digits: int) -> float | None:
    return round(value / unit, digits) if value is not None else None
