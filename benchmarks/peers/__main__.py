"""Squall beside k6, Artillery, Locust + websocket-client, Molotov, Tsung and a bare picows script.

    .venv/bin/python -m benchmarks.peers [CASE ...] [--rounds 4] [--quick] [--only NAME ...]

CASE: steady (a), flat-out (b), idle (c), rooms (d); all when none is named. In each round every tool does the same work
once, on a fresh server; a tool's ratio is the median over the rounds of its figure to Squall's in the same round, since
the machine drifts between rounds and less inside one.
"""

import argparse
import shutil
import sys
import time
from dataclasses import dataclass, field, replace

from ..installing import Unavailable
from ..processes import terminate_as_interrupt
from ..serving import serving
from ..table import Table, figure, keep, load_average, middle, say, spread
from .cases import AT_ONCE, FLAT, RAMPED, ROOMS, STEADY, Case, Measured, observe
from .contestants import Contestant, Job, all_contestants, scratch

MIB = 2**20
NAMES = {"steady": (STEADY,), "flat-out": (FLAT,), "idle": (RAMPED, AT_ONCE), "rooms": (ROOMS,)}
EMPTY_SESSIONS = 10
"""What an "empty" process holds: a tool needs a session to be itself."""


@dataclass
class Compared:
    """All rounds of one case."""

    case: Case
    rounds: list[dict[str, Measured]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


def measure(contestant: Contestant, case: Case) -> Measured:
    """One tool, once."""
    place = scratch(contestant.name, case.name)
    try:
        with serving() as target:
            job = Job(case, target.url(case.path), place)
            group = contestant.start(job)
            try:
                measured = observe(case, group, target)
            finally:
                group.stop(contestant.stop_signal)
        p50_ms, p99_ms = contestant.reported(job)
        found = replace(measured, p50_ms=p50_ms, p99_ms=p99_ms)
        if found.opened < case.sessions * 0.9 or (found.cpu_us is None and not case.is_idle):
            said = (place / "output.txt").read_text(errors="replace").strip().splitlines()
            say(
                f"  {contestant.name}: opened {found.opened} of {case.sessions}; it said: {' / '.join(said[-3:])[:300]}"
            )
        return found
    finally:
        shutil.rmtree(place, ignore_errors=True)


def compare(case: Case, contestants: list[Contestant], rounds: int, missing: dict[str, str]) -> Compared:
    """All tools, so many rounds, interleaved."""
    compared = Compared(case, missing=missing)
    for number in range(rounds):
        found = {}
        for contestant in contestants:
            began = time.monotonic()
            one = found[contestant.name] = measure(contestant, case)
            cost = f"{one.cpu_us:.1f} us" if one.cpu_us is not None else f"{one.opens_per_s:,.0f} opens/s"
            say(f"  round {number + 1}  {contestant.name:26} {cost}  ({time.monotonic() - began:.0f} s)")
        compared.rounds.append(found)
    return compared


def cost_table(compared: Compared, contestants: list[Contestant]) -> Table:
    """For the cases with messages."""
    per = "delivery" if compared.case.rooms else "message" if compared.case.rate != "max" else "round trip"
    columns = ("tool", f"CPU us a {per}", "times Squall", "messages/s", "server busy", "peak MiB", "p50 ms", "p99 ms")
    table = Table(compared.case.title, columns)
    first = contestants[0].name
    for contestant in contestants:
        mine = [found[contestant.name] for found in compared.rounds]
        ratios = [
            found[contestant.name].cpu_us / found[first].cpu_us  # type: ignore[operator]
            for found in compared.rounds
            if found[contestant.name].cpu_us and found[first].cpu_us
        ]
        table.add(
            contestant.name, spread([one.cpu_us for one in mine]), figure(middle(ratios), 2),
            figure(middle([one.messages_per_s for one in mine]), 0),
            figure(middle([one.server_share for one in mine]), 2),
            figure(max(one.peak_bytes for one in mine) / MIB, 0),
            figure(middle([one.p50_ms for one in mine]), 2), figure(middle([one.p99_ms for one in mine]), 2),
        )  # fmt: skip
    for name, why in compared.missing.items():
        table.add(f"{name}: not here: {why}", *[None] * (len(columns) - 1))
    return table


def idle_table(compared: list[Compared], empty: dict[str, Measured], contestants: list[Contestant]) -> Table:
    """For the ones without."""
    columns = ["tool", "empty MiB"]
    for each in compared:
        columns += [f"{each.case.name}: opened", "opens/s", "KiB a session", "peak MiB"]
    sessions = compared[0].case.sessions
    table = Table(f"(c) {sessions:,} idle sessions, over {compared[0].case.ramp_s:g} s and all at once", columns)
    for contestant in contestants:
        base = empty[contestant.name].peak_bytes
        cells = []
        for each in compared:
            mine = [found[contestant.name] for found in each.rounds]
            kib = [(one.peak_bytes - base) / max(1, one.opened - EMPTY_SESSIONS) / 1024 for one in mine]
            cells += [
                figure(min(one.opened for one in mine), 0), spread([one.opens_per_s for one in mine], 0), spread(kib),
                figure(max(one.peak_bytes for one in mine) / MIB, 0),
            ]  # fmt: skip
        table.add(contestant.name, figure(base / MIB, 0), *cells)
    for name, why in compared[0].missing.items():
        table.add(f"{name}: not here: {why}", *[None] * (len(columns) - 1))
    return table


def smaller(case: Case) -> Case:
    """The quick form: proves the benchmark, not the tools."""
    return replace(
        case, sessions=max(100, case.sessions // 10), rooms=case.rooms // 5, ramp_s=min(1.0, case.ramp_s),
        load_s=min(5.0, case.load_s),
    )  # fmt: skip


def prepared(only: list[str]) -> tuple[list[Contestant], dict[str, str]]:
    """Those that can be had here, and why the others cannot."""
    there, missing = [], dict[str, str]()
    for contestant in all_contestants():
        if only and not any(name in contestant.name for name in only):
            continue
        try:
            contestant.prepare()
            there.append(contestant)
        except Unavailable as why:
            missing[contestant.name] = str(why)
            say(f"{contestant.name}: not here: {why}")
    return there, missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, help="of load, instead of 30 (a) and 15 (b, d)")
    parser.add_argument("--quick", action="store_true", help="one short round of a tenth of the sessions; not kept")
    parser.add_argument("--only", action="append", default=[], help="tools whose name holds this")
    options = parser.parse_args()
    unknown = set(options.cases) - set(NAMES)
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    terminate_as_interrupt()
    rounds = 1 if options.quick else options.rounds
    contestants, missing = prepared(options.only)
    notes = "\n".join(f"- {each.name}: did not {each.did_not}" for each in contestants)
    for name in options.cases or NAMES:
        load_before, began = load_average(), time.monotonic()
        cases = NAMES[name]
        if options.seconds:
            cases = tuple(replace(case, load_s=options.seconds) if case.load_s else case for case in cases)
        if options.quick:
            cases = tuple(smaller(case) for case in cases)
        say(f"{cases[0].title}: {len(contestants)} tools, {rounds} rounds")
        if name == "idle":
            empty = {each.name: measure(each, cases[0].with_sessions(EMPTY_SESSIONS)) for each in contestants}
            table = idle_table([compare(case, contestants, rounds, missing) for case in cases], empty, contestants)
        else:
            table = cost_table(compare(cases[0], contestants, rounds, missing), contestants)
        table.show()
        took = f"{rounds} rounds, {time.monotonic() - began:.0f} s; median (least-most)"
        keep(f"peers-{name}", table.title, [table, took, f"What each did not do of the same work:\n\n{notes}"],
             command=" ".join(["python -m benchmarks.peers", *sys.argv[1:]]), load_before=load_before,
             quick=options.quick)  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
