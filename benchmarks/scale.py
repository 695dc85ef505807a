"""How cost grows with size: CPU a message and memory a session, at 100 to 20,000 sessions.

    .venv/bin/python -m benchmarks.scale [--rounds 3] [--quick]

One message a second each, echoed by the target server, recorded; once with a Locust user a session, and once with a
hundred sessions to a user. Memory a session is the difference to ten sessions. Two processes are Locust's own
(`--processes 2`, a master beside them, counted too) and are not pinned: they share both cores with the server.
"""

import argparse
import shutil
import sys
import time
from dataclasses import replace

from .installing import Unavailable
from .peers.cases import Case, Measured, observe
from .peers.contestants import Contestant, Job, Squall, scratch
from .processes import Group, terminate_as_interrupt
from .serving import serving
from .squalling import report_of, swarm_command
from .table import Table, figure, keep, load_average, middle, say, spread

SIZES = (100, 1_000, 5_000, 10_000)
TWO_PROCESSES = 20_000
OPENS_PER_S = 2_000
LOAD_S = 15.0
FEW = 10
MIB = 2**20


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


def measure(squall: Contestant, sessions: int, load_s: float) -> tuple[Measured, dict[str, float | None]]:
    """One run, and what its report says of the generator."""
    case = Case("scale", "", sessions, 1.0, 0, max(1.0, sessions / OPENS_PER_S), load_s)
    place = scratch(squall.name, f"scale-{sessions}")
    try:
        with serving() as target:
            job = Job(case, target.url(), place)
            group = squall.start(job)
            try:
                measured = observe(case, group, target)
            finally:
                group.stop()
        report = report_of(place)
        response = report["figures"]["response"]["all"]
        return replace(measured, p50_ms=response["p50"], p99_ms=response["p99"]), report["fitness"]
    finally:
        shutil.rmtree(place, ignore_errors=True)


def grown(contestants: list[tuple[Squall, tuple[int, ...]]], rounds: int, load_s: float) -> Table:
    """The table."""
    table = Table(
        f"cost by size: 1 message/s each, {load_s:g} s, {rounds} rounds",
        ("sessions", "how", "CPU us a message", "CPU share", "KiB a session", "peak MiB", "response p50 ms", "p99 ms",
         "lag p99 ms", "verdict"),
    )  # fmt: skip
    for squall, sizes in contestants:
        few = middle([measure(squall, FEW, 3.0)[0].peak_bytes for _ in range(min(rounds, 2))]) or 0.0
        for sessions in sizes:
            found = []
            for number in range(rounds):
                one, fitness = measure(squall, sessions, load_s)
                found.append((one, fitness))
                cost = figure(one.cpu_us)
                say(f"  {squall.name:24} {sessions:6} sessions  round {number + 1}  {cost} us a message")
            costs = [one.cpu_us for one, _ in found]
            share = middle([(one.cpu_us or 0) * (one.messages_per_s or 0) / 1e6 for one, _ in found])
            kib = [(one.peak_bytes - few) / (one.opened - FEW) / 1024 for one, _ in found if one.opened > FEW]
            peak = max(one.peak_bytes for one, _ in found)
            lag = middle([fitness["lag_p99_ms"] for _, fitness in found])
            verdicts = " ".join(sorted({str(fitness["verdict"]) for _, fitness in found}))
            table.add(
                f"{sessions:,}", squall.name, spread(costs), figure(share, 2), spread(kib), figure(peak / MIB, 0),
                figure(middle([one.p50_ms for one, _ in found]), 2),
                figure(middle([one.p99_ms for one, _ in found]), 2), figure(lag, 2), verdicts,
            )  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round, small, short; not kept")
    options = parser.parse_args()
    terminate_as_interrupt()
    load_before, began = load_average(), time.monotonic()
    sizes, most, rounds, load_s = SIZES, TWO_PROCESSES, options.rounds, LOAD_S
    if options.quick:
        sizes, most, rounds, load_s = (100, 500), 1_000, 1, 5.0
    crowds = (1, 100)
    contestants = [(Squall(per_user), sizes) for per_user in crowds]
    contestants += [(Swarm(per_user), (most,)) for per_user in crowds]
    try:
        table = grown(contestants, rounds, load_s)
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
