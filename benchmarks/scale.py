"""How cost grows with size: CPU a message and memory a session, at 100 to 20,000 sessions.

    .venv/bin/python -m benchmarks.scale [--rounds 3] [--seconds 15] [--sessions N ...] [--ramp 2000] [--quick]

One message a second each, echoed by the target server, recorded; once with a Locust user a session, and once with a
hundred sessions to a user. Memory a session is the difference to ten sessions, or to one user's. Two processes are
Locust's own (`--processes 2`, a master beside them, counted too) and are not pinned: they share both cores with the
server. A run that fails is a line of the table with its reason, and the rest goes on.
"""

import argparse
import shutil
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

from .installing import Unavailable
from .peers.cases import Case, Measured, observe
from .peers.contestants import Contestant, Job, Squall, scratch
from .processes import Group, terminate_as_interrupt
from .serving import processes_for, serving
from .squalling import report_of, swarm_command
from .table import Table, figure, keep, load_average, middle, say, spread

SIZES = (100, 1_000, 5_000, 10_000)
TWO_PROCESSES = 20_000
OPENS_PER_S = 2_000.0
LOAD_S = 15.0
SPARE_S = 75.0
"""A user a session takes its time to start, and a late generator sends what is due before it ends."""
FEW = 10
FEW_ROUNDS = 2
MIB = 2**20
COLUMNS = (
    "sessions", "how", "CPU us a message", "CPU share", "KiB a session", "peak MiB", "opens/s", "response p50 ms",
    "p99 ms", "lag p99 ms", "verdict",
)  # fmt: skip


class Swarm(Squall):
    """Over two processes, under Locust's own command line."""

    def __init__(self, sessions_per_user: int) -> None:
        super().__init__(sessions_per_user)
        self.name += ", 2 processes"

    def start(self, job: Job) -> Group:
        """Not pinned."""
        command, variables = swarm_command(
            job.scratch, job.url, sessions=job.case.sessions, ramp_s=job.case.ramp_s, duration_s=job.load_s,
            per_user=self.per_user, processes=2,
        )  # fmt: skip
        with (job.scratch / "output.txt").open("wb") as output:
            return Group(command, None, output=output, errors=output, env=variables, cwd=job.scratch)


@dataclass(frozen=True)
class Length:
    """How often, how long, and how fast the sessions open."""

    rounds: int = 3
    load_s: float = LOAD_S
    opens_per_s: float = OPENS_PER_S


@dataclass(frozen=True)
class Run:
    """One run, and what its report says of the generator; or why there is none."""

    measured: Measured | None
    fitness: dict[str, Any]
    failed: str = ""


def measure(squall: Contestant, sessions: int, length: Length) -> Run:
    """One run.

    Raises:
        Unavailable: the target server cannot be installed.
    """
    ramp_s = max(1.0, sessions / length.opens_per_s)
    case = Case("scale", "", sessions, 1.0, 0, ramp_s, length.load_s, SPARE_S)
    place = scratch(squall.name, f"scale-{sessions}")
    try:
        with serving(processes=processes_for(sessions)) as target:
            job = Job(case, target.url(), place)
            group = squall.start(job)
            try:
                measured = observe(case, group, target)
                if group.is_alive:
                    raise RuntimeError(f"not over {case.limit_s:.0f} s after its start")
            finally:
                group.stop()
        report = report_of(place)
        response = report["figures"]["response"]["all"]
        return Run(replace(measured, p50_ms=response["p50"], p99_ms=response["p99"]), report["fitness"])
    except (RuntimeError, OSError, LookupError, ValueError) as why:
        return Run(None, {}, " ".join(f"{why}".split()) or type(why).__name__)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def row(sessions: int, name: str, runs: list[Run], few: int, few_bytes: float | None) -> list[str | None]:
    """What the table says of some runs of one size; `few_bytes` is what it takes with `few` sessions."""
    good = [(run.measured, run.fitness) for run in runs if run.measured is not None]
    found = [one for one, _ in good]
    reasons = list(dict.fromkeys(run.failed for run in runs if run.failed))
    verdicts = [*sorted({str(fitness["verdict"]) for _, fitness in good})]
    if reasons:
        verdicts.append(f"{len(runs) - len(good)} of {len(runs)} failed: {'; '.join(reasons)}")
    short = [one.opened for one in found if one.opened < sessions]
    if short:
        verdicts.append(f"opened {min(short):,}")
    # What a message costs times how many there are; without a steady part there is neither.
    share = [one.cpu_us * one.messages_per_s / 1e6 for one in found if one.cpu_us and one.messages_per_s]
    kib = [(one.peak_bytes - few_bytes) / (one.opened - few) / 1024 for one in found if few_bytes and one.opened > few]
    return [
        f"{sessions:,}", name, spread([one.cpu_us for one in found]), figure(middle(share), 2), spread(kib),
        figure(max((one.peak_bytes for one in found), default=0) / MIB or None, 0),
        spread([one.opens_per_s for one in found], 0), figure(middle([one.p50_ms for one in found]), 2),
        figure(middle([one.p99_ms for one in found]), 2),
        figure(middle([fitness["lag_p99_ms"] for _, fitness in good]), 2), ", ".join(verdicts),
    ]  # fmt: skip


def grown(contestants: list[tuple[Squall, tuple[int, ...]]], length: Length) -> Table:
    """The table.

    Raises:
        Unavailable: the target server cannot be installed.
    """
    table = Table(f"cost by size: 1 message/s each, {length.load_s:g} s, {length.rounds} rounds", COLUMNS)
    for squall, sizes in contestants:
        if not sizes:
            continue
        few = max(FEW, squall.per_user)  # Locust has no user for less
        few_runs = [measure(squall, few, Length(1, 3.0)) for _ in range(min(length.rounds, FEW_ROUNDS))]
        few_bytes = middle([run.measured.peak_bytes for run in few_runs if run.measured is not None])
        for sessions in sizes:
            runs = []
            for number in range(length.rounds):
                began = time.monotonic()
                run = measure(squall, sessions, length)
                runs.append(run)
                cost = run.failed or f"{figure(run.measured and run.measured.cpu_us)} us a message"
                took = time.monotonic() - began
                say(f"  {squall.name:27} {sessions:6} sessions  round {number + 1}  {cost}  ({took:.0f} s)")
            table.add(*row(sessions, squall.name, runs, few, few_bytes))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=LOAD_S, help="of load")
    parser.add_argument("--sessions", type=int, nargs="+", help="only these sizes, of 100, 1000, 5000, 10000, 20000")
    parser.add_argument("--ramp", type=float, default=OPENS_PER_S, help="sessions opened a second")
    parser.add_argument("--quick", action="store_true", help="one round, small, short; not kept")
    options = parser.parse_args()
    terminate_as_interrupt()
    load_before, began = load_average(), time.monotonic()
    sizes, most = SIZES, (TWO_PROCESSES,)
    length = Length(options.rounds, options.seconds, options.ramp)
    if options.sessions:
        unknown = set(options.sessions) - {*sizes, *most}
        if unknown:
            parser.error(f"no size {', '.join(map(str, sorted(unknown)))}")
        sizes, most = (tuple(each for each in there if each in options.sessions) for there in (sizes, most))
    if options.quick:
        sizes, most, length = (100, 500), (1_000,), Length(1, 5.0)
    crowds = (1, 100)
    contestants = [(Squall(per_user), sizes) for per_user in crowds]
    contestants += [(Swarm(per_user), most) for per_user in crowds]
    try:
        table = grown(contestants, length)
    except Unavailable as why:
        sys.exit(f"the target server cannot be had here: {why}")
    table.show()
    keep(
        "scale", "How cost grows", [table, f"{time.monotonic() - began:.0f} s; median (least-most)"],
        command=" ".join(["python -m benchmarks.scale", *sys.argv[1:]]), load_before=load_before, quick=options.quick,
    )  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
