"""Fitness: can this run be judged at all? A figure that we cannot vouch for is reported as unfit, with the reason.

The run as a whole; each process's measurements and limits are in `judging.py`.
"""

from typing import Literal

import msgspec
import numpy as np

from harness.plan import Fitness as Limits
from harness.record.row import Flag, Kind, Outcome
from harness.record.run_directory import RunDirectory
from harness.units import SECOND

from .. import words
from ..judging import Cause, ProcessFitness, late, measured, notes, reasons, unrecorded
from ..owing import SETTLE_NS
from ..percentile import Groups
from ..processes import all_processes
from ..registry import section
from ..rows import Rows

EARLY_NS = 3 * SECOND


class Stamps(msgspec.Struct, frozen=True, kw_only=True):
    """Where arrival times come from, over all processes."""

    source: str | None
    """`kernel` or `read`"""
    exact: float | None
    """share with an exact kernel stamp"""
    bounded: float | None
    """share with a kernel stamp that is an upper bound"""
    read: float | None
    """share without a kernel stamp: the time of reading"""


class RunFitness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the generator kept up, so that the run's figures can be trusted."""

    verdict: Literal["fit", "unfit"]
    """`fit` or `unfit`"""
    reasons: list[str]
    """why the run is unfit"""
    causes: list[Cause]
    """the same reasons by code, with what each of them spoils"""
    notes: list[str]
    """what to know of the run although it is fit"""
    limits: Limits
    """the plan's `[fitness]`"""
    lag_p99_ms: float | None
    """send delay p99 over all processes"""
    read_lag_p99_ms: float | None
    """read delay p99 over all processes"""
    cpu_p95: float | None
    """largest `cpu_p95` of a process"""
    resident_max_mib: float
    """largest resident memory of a process"""
    loop_lag_max_ms: float
    """longest delay of an event loop"""
    unsent_max_bytes: int
    """most bytes that waited for the endpoint to accept them"""
    late_answers: int
    """answers that came too late to match their request"""
    clock_step_ms: float
    """largest step of the wall clock"""
    planned: int
    """messages of the plan that fell due; bursts are not among them"""
    sent: int
    """planned messages that were sent"""
    abandoned: int
    """planned messages that fell due while their session had no connection"""
    never_opened: int
    """connections that were due and that the generator never got to"""
    never_logged_in: int
    """sessions that never opened because their login was not finished"""
    missed: int | None
    """messages that were due and never sent; `null` in old runs"""
    stamps: Stamps
    """where arrival times come from"""
    unfit_seconds: list[int]
    """seconds in which any process was over a limit"""
    processes: list[ProcessFitness]
    """the measurements of each process"""


@section("fitness")
def fitness(directory: RunDirectory, rows: Rows, figures: dict[str, Groups]) -> RunFitness:
    """The verdict on the run itself, every measurement by process, and each reason why it is unfit."""
    limits = rows.manifest.plan.fitness
    processes = [measured(process, limits) for process in all_processes(rows)]
    published = rows.of(Kind.PUBLISH)
    planned = published[published["flags"] & Flag.BURST == 0]
    why, known = _of_processes(rows, processes, limits)
    why = [*_whole(directory, rows), *_shards(directory, rows, processes), *why]
    missed = [one.missed for one in processes if one.missed is not None]
    return RunFitness(
        verdict="unfit" if why else "fit",
        reasons=[cause.text for cause in why],
        causes=why,
        notes=[*_cut_short(directory, rows), *known],
        limits=limits,
        lag_p99_ms=figures["lag"].all.p99,
        read_lag_p99_ms=figures["read_lag"].all.p99,
        cpu_p95=max((one.cpu_p95 for one in processes if one.cpu_p95 is not None), default=None),
        resident_max_mib=max((one.resident_max_mib or 0.0 for one in processes), default=0.0),
        loop_lag_max_ms=max((one.loop_lag_max_ms or 0.0 for one in processes), default=0.0),
        unsent_max_bytes=max((one.unsent_max_bytes or 0 for one in processes), default=0),
        late_answers=sum(one.late_answers for one in processes),
        clock_step_ms=max((one.clock_step_ms for one in processes), default=0.0),
        planned=len(planned) + sum(missed),
        sent=int(np.count_nonzero(planned["sent"] > 0)),
        abandoned=int(np.count_nonzero((planned["outcome"] == Outcome.ABANDONED) & (planned["sent"] == 0))),
        never_opened=_never_opened(rows),
        never_logged_in=_never_logged_in(rows),
        missed=sum(missed) if missed else None,
        stamps=_stamps(rows, processes),
        unfit_seconds=sorted({second for one in processes for second in _bad(one)}),
        processes=processes,
    )


def _of_processes(rows: Rows, processes: list[ProcessFitness], limits: Limits) -> tuple[list[Cause], list[str]]:
    """The reasons and the notes of each process, with its rank where there are several."""
    promised = rows.manifest.stamps == "kernel"

    def told(one: ProcessFitness, text: str) -> str:
        return words.OF_PROCESS.format(process=one.process, reason=text) if len(processes) > 1 else text

    plan = rows.manifest.plan
    patience_s = min(max(plan.load.settle_s, SETTLE_NS / SECOND), plan.endpoint.answer_timeout_s)
    return (
        [
            msgspec.structs.replace(cause, text=told(one, cause.text))
            for one in processes
            for cause in reasons(one, limits, promised, patience_s)
        ],
        [told(one, text) for one in processes for text in notes(one, limits)],
    )


def _bad(one: ProcessFitness) -> list[int]:
    return [*one.unfit_seconds.lag, *one.unfit_seconds.read_lag, *one.unfit_seconds.cpu]


def _whole(directory: RunDirectory, rows: Rows) -> list[Cause]:
    """What is wrong with the run as a whole."""
    why = []
    if directory.status == "unsealed":
        why.append(unrecorded("killed", words.KILLED))
    elif directory.status == "failed":
        why.append(unrecorded("failed", words.FAILED.format(reason=directory.reason)))
    if not np.any(rows.of(Kind.OPEN)["outcome"] != Outcome.ABANDONED):
        why.append(late("nothing-opened", words.NOTHING_TRIED))
    if never := _never_opened(rows):
        why.append(late("never-opened", words.NEVER_OPENED.format(count=never)))
    if (never := _never_logged_in(rows)) and directory.status != "interrupted":
        why.append(late("never-logged-in", words.NEVER_LOGGED_IN.format(count=never)))
    return why


def _cut_short(directory: RunDirectory, rows: Rows) -> list[str]:
    """What to know of a run that was ended by hand: its figures are good, and of a part only."""
    planned_ns = rows.manifest.load_end_ns
    if directory.status != "interrupted" or rows.load_end_ns >= planned_ns:
        return []
    ran_s = (rows.load_end_ns - rows.load_start_ns) / SECOND
    planned_s = (planned_ns - rows.manifest.load_start_ns) / SECOND
    return [words.CUT_SHORT.format(ran_s=ran_s, planned_s=planned_s)]


def _never_opened(rows: Rows) -> int:
    """Connections that were due before the end of the load and that we did not get to."""
    given_up = rows.of(Kind.OPEN, Outcome.ABANDONED)
    return int(np.count_nonzero((given_up["sent"] == 0) & (given_up["arrived"] == 0)))


def _never_logged_in(rows: Rows) -> int:
    """Sessions that never opened because each time they were given up before their login was over: no SYN was sent."""
    opened = rows.of(Kind.OPEN)
    waiting = (opened["outcome"] == Outcome.ABANDONED) & (opened["sent"] == 0) & (opened["arrived"] > 0)
    others = opened["session"][~waiting]
    return len(np.setdiff1d(opened["session"][waiting], others))


def _shards(directory: RunDirectory, rows: Rows, processes: list[ProcessFitness]) -> list[Cause]:
    """Processes of which nothing is known, or nothing from some time on."""
    why = [unrecorded("incomplete", text) for text in directory.incomplete]
    present = {one.process for one in processes}
    expected = rows.manifest.topology.processes or 0
    why += [
        unrecorded("no-rows", words.NO_ROWS.format(process=rank)) for rank in range(expected) if rank not in present
    ]
    if directory.status in ("unsealed", "failed"):
        return why
    end_s = (rows.load_end_ns - rows.start_ns) / SECOND
    early = {one.process: end_s - (one.last_sample_s or 0.0) for one in processes}
    return why + [
        unrecorded("fell-silent", words.FELL_SILENT.format(process=rank, early_s=early_s))
        for rank, early_s in early.items()
        if early_s > EARLY_NS / SECOND
    ]


def _stamps(rows: Rows, processes: list[ProcessFitness]) -> Stamps:
    """The shares over all processes."""
    shares = [one.stamps for one in processes]
    count = sum(one.arrivals for one in shares)

    def over_all(name: Literal["exact", "bounded", "read"]) -> float | None:
        weighted = sum((getattr(one, name) or 0.0) * one.arrivals for one in shares)
        return round(weighted / count, 4) if count else None

    return Stamps(
        source=rows.manifest.stamps, exact=over_all("exact"), bounded=over_all("bounded"), read=over_all("read")
    )
