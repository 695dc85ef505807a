"""May a process's measurement be trusted? Its measurements, the reasons why not, and notes. For the section `fitness`.

The limits (the plan's `[fitness]`) are on ourselves only.
"""

import errno
import os
from typing import Literal

import msgspec
import numpy as np

from harness.plan import Fitness as Limits
from harness.record.row import Gauge, Kind
from harness.units import SECOND

from . import words
from .percentile import percentile
from .processes import Process, StampShares
from .rows import ran_out
from .spans import spans

LOOSE_MS = 10.0
"""An upper bound is off by at most the read delay: below this it is as good as exact."""
FEW = 100
"""The fewest values for percentiles of a process and for shares of arrivals."""


Spoils = Literal["latencies", "absences", "counts"]


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why the run is unfit."""

    code: str
    """what it is, in a word: `sent-late`, `killed`, `exhausted`"""
    spoils: Spoils
    """what cannot be trusted: `latencies` only; `absences`, too (what was not seen may have been lost by the
    generator); or all `counts`"""
    text: str
    """the reason, as in `reasons`"""


class UnfitSeconds(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of the run in which a process was over a limit."""

    lag: list[int]
    """send delay p99 over `lag_p99_ms`"""
    read_lag: list[int]
    """read delay p99 over `read_lag_p99_ms`"""
    cpu: list[int]
    """CPU over `cpu_share`"""


class ProcessFitness(msgspec.Struct, frozen=True, kw_only=True):
    """What one process of the generator did to its own measurement."""

    process: int
    """rank of the process"""
    lag_p99_ms: float | None
    """send delay p99, from 100 samples"""
    read_lag_p99_ms: float | None
    """read delay p99, from 100 samples"""
    cpu_p95: float | None
    """CPU use in the 95th percentile of its seconds, as a share of a core"""
    resident_max_mib: float | None
    """largest resident memory"""
    loop_lag_max_ms: float | None
    """longest delay of the event loop"""
    unsent_max_bytes: int | None
    """most bytes that waited for the endpoint to accept them"""
    clock_step_ms: float
    """largest step of the wall clock"""
    late_answers: int
    """answers that came too late to match their request"""
    descriptors_grown: int | None
    """growth of open descriptors while as many sessions were open; `null`: not seen twice"""
    exhausted: dict[str, int]
    """operations that failed because this machine ran out of something, by errno"""
    published: int
    """messages of the plan, sent or abandoned, without bursts"""
    missed: int | None
    """messages that were due and never sent; `null` in old runs"""
    stamps: StampShares
    """where arrival times come from"""
    last_sample_s: float | None
    """time of its last sample, since the run began"""
    unfit_seconds: UnfitSeconds
    """seconds in which it was over a limit"""


def measured(process: Process, limits: Limits) -> ProcessFitness:
    """The measurements of one process."""
    cpu, samples = process.gauge(Gauge.CPU_PERMILLE)["seq"], process.of(Kind.SAMPLE)
    lags, read_lags = process.lags, process.read_lags
    return ProcessFitness(
        process=process.rank,
        lag_p99_ms=percentile(lags[1], 0.99) if len(lags[1]) >= FEW else None,
        read_lag_p99_ms=percentile(read_lags[1], 0.99) if len(read_lags[1]) >= FEW else None,
        cpu_p95=float(np.percentile(cpu, 95, method="inverted_cdf")) / 1000 if len(cpu) else None,
        resident_max_mib=_scaled(process.most(Gauge.RESIDENT_BYTES), 2**20, 1),
        loop_lag_max_ms=_scaled(process.most(Gauge.LOOP_LAG_NS), 1e6, 3),
        unsent_max_bytes=process.most(Gauge.UNSENT_BYTES),
        clock_step_ms=float(np.abs(process.gauge(Gauge.CLOCK_STEP_NS)["seq"]).max(initial=0)) / 1e6,
        late_answers=process.last(Gauge.LATE_ANSWERS) or 0,
        descriptors_grown=process.descriptors_grown(),
        exhausted=_exhausted(process),
        published=process.published,
        missed=process.last(Gauge.MISSED),
        stamps=process.stamps(),
        last_sample_s=(int(samples["arrived"].max()) - process.start_ns) / SECOND if len(samples) else None,
        unfit_seconds=UnfitSeconds(
            lag=process.bad_seconds(lags, limits.lag_p99_ms),
            read_lag=process.bad_seconds(read_lags, limits.read_lag_p99_ms),
            cpu=process.busy_seconds(limits.cpu_share * 1000),
        ),
    )


def late(code: str, text: str) -> Cause:
    """A reason that spoils latencies only."""
    return Cause(code=code, spoils="latencies", text=text)


def unrecorded(code: str, text: str) -> Cause:
    """A reason for which something may have happened and not been recorded."""
    return Cause(code=code, spoils="absences", text=text)


def reasons(one: ProcessFitness, limits: Limits, promised: bool, patience_s: float) -> list[Cause]:
    """Why this process makes the run unfit.

    Args:
        one: its measurements.
        limits: the plan's `[fitness]`.
        promised: whether the kernel's stamps were.
        patience_s: the shortest time that anything is waited for; after a longer standstill, what had arrived may have
            been taken for absent.
    """
    found = _late(one, limits)
    if one.cpu_p95 is not None and one.cpu_p95 > limits.cpu_share:
        when = _when(one.unfit_seconds.cpu)
        found.append(late("cpu", words.CPU.format(value=one.cpu_p95, limit=limits.cpu_share, when=when)))
    missed = one.missed or 0
    if missed > limits.missed_share * (one.published + missed):
        found.append(late("sent-less", words.SENT_LESS.format(missed=missed, planned=one.published + missed)))
    if one.clock_step_ms > limits.clock_step_ms:
        text = words.CLOCK_STEPPED.format(step_ms=one.clock_step_ms)
        found.append(Cause(code="clock-stepped", spoils="counts", text=text))
    if (one.loop_lag_max_ms or 0.0) > patience_s * 1000:
        found.append(unrecorded("stalled", words.STALLED.format(stood_s=(one.loop_lag_max_ms or 0.0) / 1000)))
    if promised and one.stamps.arrivals >= FEW:
        found += _unstamped(one, limits)
    for name, count in one.exhausted.items():
        what, advice = os.strerror(getattr(errno, name)), words.EXHAUSTED_ADVICE.get(name, "")
        text = words.EXHAUSTED.format(count=count, name=name, what=what, advice=advice)
        found.append(unrecorded("exhausted", text))
    if one.descriptors_grown is not None and one.descriptors_grown > limits.spare_descriptors:
        found.append(late("descriptors", words.LEAKED.format(grown=one.descriptors_grown)))
    return found


def _late(one: ProcessFitness, limits: Limits) -> list[Cause]:
    found: list[Cause] = []
    waited = one.unsent_max_bytes
    advice = words.BYTES_WAITED.format(count=waited) if waited else words.GIVE_MORE
    if one.lag_p99_ms is not None and one.lag_p99_ms > limits.lag_p99_ms:
        when = _when(one.unfit_seconds.lag)
        text = words.SENT_LATE.format(value=one.lag_p99_ms, limit=limits.lag_p99_ms, when=when, advice=advice)
        found.append(late("sent-late", text))
    if one.read_lag_p99_ms is not None and one.read_lag_p99_ms > limits.read_lag_p99_ms:
        when, limit = _when(one.unfit_seconds.read_lag), limits.read_lag_p99_ms
        text = words.READ_LATE.format(value=one.read_lag_p99_ms, limit=limit, when=when, advice=words.GIVE_MORE)
        found.append(late("read-late", text))
    return found


def _unstamped(one: ProcessFitness, limits: Limits) -> list[Cause]:
    found: list[Cause] = []
    late_ms = one.read_lag_p99_ms or 0.0
    if (one.stamps.read or 0.0) > limits.unstamped_share:
        found.append(late("unstamped", words.UNSTAMPED.format(share=one.stamps.read)))
    if (one.stamps.bounded or 0.0) > limits.bounded_share and late_ms > LOOSE_MS:
        text = words.BOUNDED.format(share=one.stamps.bounded, limit=limits.bounded_share, late_ms=late_ms)
        found.append(late("bounded", text))
    return found


def notes(one: ProcessFitness, limits: Limits) -> list[str]:
    """Seconds over a limit in a process that is within it over the whole run."""
    found, bad = [], one.unfit_seconds
    if bad.lag and (one.lag_p99_ms is None or one.lag_p99_ms <= limits.lag_p99_ms):
        found.append(words.SENT_LATE_IN.format(when=spans(bad.lag), limit=limits.lag_p99_ms))
    if bad.read_lag and (one.read_lag_p99_ms is None or one.read_lag_p99_ms <= limits.read_lag_p99_ms):
        found.append(words.READ_LATE_IN.format(when=spans(bad.read_lag), limit=limits.read_lag_p99_ms))
    if bad.cpu and (one.cpu_p95 or 0) <= limits.cpu_share:
        found.append(words.BUSY_IN.format(when=spans(bad.cpu), limit=limits.cpu_share))
    return found


def _when(seconds: list[int]) -> str:
    return f"; {spans(seconds)}" if seconds else ""


def _exhausted(process: Process) -> dict[str, int]:
    """How many operations failed because this machine ran out of something, by the name of the errno."""
    failed = process.table[ran_out(process.table)]
    codes, counts = np.unique(failed["code"], return_counts=True)
    return {errno.errorcode[int(code)]: int(count) for code, count in zip(codes, counts, strict=True)}


def _scaled(value: int | None, unit: float, digits: int) -> float | None:
    return round(value / unit, digits) if value is not None else None
