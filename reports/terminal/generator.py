"""How the terminal shows what the generator did to its own measurement."""

from collections.abc import Iterator

from ..sections.fitness import RunFitness
from .lines import Line, lines, milliseconds


@lines("fitness")
def fitness(fitness: RunFitness) -> Iterator[Line]:
    """Each process, and where arrival times come from."""
    several = len(fitness.processes) > 1
    for one in fitness.processes:
        cpu = "-" if one.cpu_p95 is None else f"{one.cpu_p95:.0%}"
        whose = f"process {one.process}: " if several else ""
        yield Line(
            f"generator {whose}send delay p99 {milliseconds(one.lag_p99_ms)} ms, read delay p99 "
            f"{milliseconds(one.read_lag_p99_ms)} ms, CPU p95 {cpu} of a core, event loop late by at most "
            f"{milliseconds(one.loop_lag_max_ms)} ms, {one.resident_max_mib or 0:.0f} MiB"
        )
    stamps = fitness.stamps
    if stamps.exact is not None:
        yield Line(
            f"arrival   {stamps.exact:.1%} exact kernel stamps, {stamps.bounded or 0:.1%} upper bounds, "
            f"{stamps.read or 0:.1%} times of reading"
        )
