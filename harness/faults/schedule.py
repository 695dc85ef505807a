"""Which sessions a plan's faults affect, and when: pure, and the same in every process.

The sessions come from one seeded permutation of all their numbers, which is used up in the order of time, so that no
session is picked again until all have been picked. A plan may repeat a fault for days, so occurrences are made one by
one, when they are wanted.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush, merge

from ..plan import Plan
from ..plan.chaos import Act
from ..plan.fault_registry import FaultKind, kind_of
from ..schedule.ownership import owner
from ..units import SECOND


@dataclass(frozen=True, slots=True)
class Injection:
    """One session to be affected: the `occurrence`-th time of fault number `index` in the plan."""

    act: Act
    index: int
    occurrence: int
    session: int
    due: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time at which a fault of the plan happens, to all its sessions at once."""

    act: Act
    kind: FaultKind
    due: int
    injections: tuple[Injection, ...]


def occurrences(plan: Plan, start_ns: int) -> Iterator[Occurrence]:
    """Everything that is to happen to any session, in the order of time."""
    sessions, end_s = plan.load.sessions, plan.load_end_s
    order = list(range(sessions))
    random.Random(f"{plan.seed}-victims").shuffle(order)
    kinds = [kind_of(act) for act in plan.chaos]
    cursor = 0
    for at_s, index, occurrence in merge(*(_times(act, index, end_s) for index, act in enumerate(plan.chaos))):
        act, due = plan.chaos[index], start_ns + round(at_s * SECOND)
        picked = range(cursor, cursor + act.victims(sessions))
        cursor = picked.stop % sessions
        yield Occurrence(
            act, kinds[index], due,
            tuple(Injection(act, index, occurrence, order[at % sessions], due) for at in picked),
        )  # fmt: skip


def _times(act: Act, index: int, end_s: float) -> Iterator[tuple[float, int, int]]:
    return ((at_s, index, occurrence) for occurrence, at_s in enumerate(act.times_s(end_s)))


def most_held(plan: Plan, rank: int, processes: int, skipped: frozenset[str] = frozenset()) -> int:
    """How many connections one process holds at most at any time which its sessions have lost.

    Args:
        plan: the run's.
        rank: the process's.
        processes: how many there are.
        skipped: names of the faults that are not injected on this machine.
    """
    wanted = {act.fault_name for act in plan.chaos if kind_of(act).holds_connection} - skipped
    lifts: list[int] = []
    held = most = 0
    for occurrence in occurrences(plan, 0) if wanted else ():
        if occurrence.kind.name not in wanted:
            continue
        while lifts and lifts[0] < occurrence.due:  # at the same time, one may end only after the next has begun
            heappop(lifts)
            held -= 1
        mine = sum(owner(plan.load, each.session, processes) == rank for each in occurrence.injections)
        held += mine
        most = max(most, held)
        hold_s = occurrence.act.lift_after_s
        if hold_s is not None:
            for _ in range(mine):
                heappush(lifts, occurrence.due + round(hold_s * SECOND))
    return most
