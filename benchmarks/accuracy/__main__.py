"""Three checks of what Squall says: a frozen server, a generator that is held up, a server of known slowness.

    .venv/bin/python -m benchmarks.accuracy [freeze] [busy] [delays] [--rounds 3] [--quick] [--peers]

freeze: the server is stopped dead (SIGSTOP) for 1 s in every 10 s, and response is compared with the closed form for an
open loop (facts on measurement: coordinated omission). busy: Squall's own process does nothing for 200 ms in every
second; what it says of the endpoint must not move, and the run must be called unfit. delays: the server holds every
message for a while that it logs; service is compared with that log.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from random import Random
from statistics import NormalDist

import numpy as np

from ..installing import CACHE, Unavailable
from ..peers.cases import Case
from ..peers.contestants import K6, Artillery, Contestant, Job, LocustWebsocket, scratch
from ..processes import terminate_as_interrupt
from ..serving import Target, serving
from ..table import Table, figure, keep, load_average, middle, say
from .runs import (
    MESSAGES_PER_S,
    QUANTILES,
    exact_share,
    quantile,
    response_ms,
    running,
    service_ms,
)

PERIOD_S, FROZEN_S, PHASE_S = 10.0, 1.0, 4.5
FEW = 4
"""Sessions of the freeze: the fewer, the more a tool hides that waits for each answer."""
HOGGING = Path(__file__).with_name("hogging.py")
DELAYS = 2_000
MEDIAN_DELAY_MS, SPREAD = 20.0, 0.6
GOAL = 0.01
BUSY_GOAL = 0.05


def freeze_at(target: Target, due_s: list[float]) -> list[tuple[float, float]]:
    """Freeze the server at these times of the monotonic clock; when it really was, from and to."""
    really = []
    for due in due_s:
        time.sleep(max(0.0, due - time.monotonic()))
        target.freeze(True)
        begin = time.monotonic()
        time.sleep(max(0.0, begin + FROZEN_S - time.monotonic()))
        target.freeze(False)
        really.append((begin, time.monotonic()))
    return really


def closed_form(share: float, base_ms: float, frozen_ms: float, drained: float) -> float:
    """A quantile of an open loop's response; `drained` is w, our rate over the server's rate when catching up."""
    return base_ms + max(0.0, frozen_ms - (1 - share) * (1 - drained) * PERIOD_S * 1e3)


def check_freeze(periods: int) -> Table:
    """The frozen server against the closed form."""
    with serving() as target, running(target, periods * PERIOD_S, sessions=FEW) as run:
        start, before = run.load_start_ns() / 1e9, target.counters()
        really = freeze_at(target, [start + period * PERIOD_S + PHASE_S for period in range(periods)])
        run.wait()
        seen = target.counters()
        published = run.published()
    frozen_ms = float(np.mean([(end - begin) * 1e3 for begin, end in really]))
    drained = MESSAGES_PER_S * (seen.cpu_s - before.cpu_s) / seen.received
    response = response_ms(published)
    base_ms = quantile(response, 0.5)
    table = Table(
        f"a server frozen {frozen_ms / 1e3:.3f} s every {PERIOD_S:g} s, {MESSAGES_PER_S:g} messages/s for "
        f"{periods * PERIOD_S:g} s (w = {drained:.3f}): response of {len(response):,} messages",
        ("quantile", "measured ms", "closed form ms", "off by", "goal"),
    )
    # At 0.9 the form has its corner (S = (1 - q) T): there a quantile is ill-defined, so 0.8 is asked instead.
    for share in (0.5, 0.8, 0.99, 0.999):
        expected = closed_form(share, base_ms, frozen_ms, drained)
        judged = share > 0.9
        _compare(table, f"p{share * 100:g}", quantile(response, share), expected, GOAL if judged else None)
    _compare(table, "max", float(response.max()), base_ms + frozen_ms, None)
    mean = base_ms + frozen_ms**2 / (2 * (1 - drained) * PERIOD_S * 1e3)
    _compare(table, "mean", float(response.mean()), mean, None)
    return table


def _compare(table: Table, name: str, measured: float, expected: float, goal: float | None) -> None:
    off = measured / expected - 1
    verdict = "" if goal is None else f"within {goal:.0%}: {'yes' if abs(off) <= goal else 'NO'}"
    table.add(name, figure(measured, 2), figure(expected, 2), f"{off:+.2%}", verdict)


def check_peers(periods: int) -> Table:
    """What other tools say of the same frozen server."""
    table = Table("the same freeze, as other tools tell it", ("tool", "p50 ms", "p99 ms", "truth: p99 ms"))
    case = Case("freeze", "", FEW, MESSAGES_PER_S / FEW, 0, 1.0, periods * PERIOD_S)
    peers: list[Contestant] = [LocustWebsocket(), K6(), Artillery()]
    for peer in peers:
        try:
            peer.prepare()
        except Unavailable as why:
            table.add(peer.name, None, None, f"not here: {why}")
            continue
        with serving() as target:
            job = Job(case, target.url(), scratch(peer.name, "freeze"))
            group = peer.start(job)
            try:
                while group.is_alive and target.counters().received == 0:
                    time.sleep(0.02)
                begun = time.monotonic()
                freeze_at(target, [begun + period * PERIOD_S + PHASE_S for period in range(periods)])
                group.popen.wait(case.limit_s)
            finally:
                target.freeze(False)
                group.stop()
        p50, p99 = peer.reported(job)
        shutil.rmtree(job.scratch, ignore_errors=True)
        table.add(peer.name, figure(p50), figure(p99), figure(closed_form(0.99, 0, FROZEN_S * 1e3, 0), 0))
    return table


def delays_ms() -> list[float]:
    """Log-normal, by its exact quantiles, shuffled."""
    found = [MEDIAN_DELAY_MS * float(np.exp(SPREAD * NormalDist().inv_cdf((n + 0.5) / DELAYS))) for n in range(DELAYS)]
    Random(4).shuffle(found)
    return found


def check_delays(duration_s: float) -> Table:
    """A server of known slowness."""
    with _slow() as target, running(target, duration_s) as run:
        run.wait()
        holds = np.array(target.ask("holds")) / 1e6
        published = run.published()
    service = service_ms(published)
    table = Table(
        f"a server that holds each of {len(holds):,} messages (log-normal, median {MEDIAN_DELAY_MS:g} ms) and logs how "
        f"long: service ({exact_share(published):.1%} exact stamps)",
        ("quantile", "measured ms", "really held ms", "off by", "goal"),
    )
    for share in QUANTILES:
        _compare(table, f"p{share * 100:g}", quantile(service, share), quantile(holds, share), GOAL)
    _compare(table, "max", float(service.max()), float(holds.max()), GOAL)
    return table


def _slow():  # type: ignore[no-untyped-def]
    """The server that holds messages."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / "delays.json"
    path.write_text(json.dumps(delays_ms()))
    return serving(["--hold-ms", str(path)])


def check_busy(rounds: int, duration_s: float) -> Table:
    """Squall held up, beside Squall let be, alternating."""
    found: dict[str, list[dict[str, float]]] = {"let be": [], "held up": []}
    verdicts: dict[str, list[str]] = {"let be": [], "held up": []}
    for number in range(rounds):
        for name, scenario in (("let be", ""), ("held up", str(HOGGING))):
            with _slow() as target, running(target, duration_s, scenario) as run:
                run.wait()
                report, published = run.report(), run.published()
            service, response = service_ms(published), response_ms(published)
            found[name].append(
                {"service p50": quantile(service, 0.5), "service p99": quantile(service, 0.99),
                 "response p99": quantile(response, 0.99), "lag p99": report["fitness"]["lag_p99_ms"],
                 "read lag p99": report["fitness"]["read_lag_p99_ms"]}
            )  # fmt: skip
            reasons = report["fitness"]["reasons"]
            verdicts[name].append(report["fitness"]["verdict"] + (f" ({'; '.join(reasons)})" if reasons else ""))
            p99 = found[name][-1]["service p99"]
            say(f"  round {number + 1}  {name:8} service p99 {p99:.2f} ms  {verdicts[name][-1]}")
    table = Table(
        f"Squall's process held busy 200 ms of every second, against a server of known slowness ({rounds} rounds)",
        ("median of rounds, ms", "let be", "held up", "moved", "goal"),
    )
    for figure_name in found["let be"][0]:
        calm, held = (middle([one[figure_name] for one in found[name]]) or 0.0 for name in found)
        goal = figure_name.startswith("service")
        moved = middle(
            [after[figure_name] / before[figure_name] - 1 for before, after in zip(*found.values(), strict=True)]
        )
        verdict = f"under {BUSY_GOAL:.0%}: {'yes' if abs(moved or 0) < BUSY_GOAL else 'NO'}" if goal else ""
        table.add(figure_name, figure(calm, 2), figure(held, 2), f"{moved:+.1%}", verdict)
    unfit = sum(verdict.startswith("unfit") for verdict in verdicts["held up"])
    fit = sum(verdict.startswith("fit") for verdict in verdicts["let be"])
    table.add("verdict on the run", f"fit in {fit} of {rounds}", f"unfit in {unfit} of {rounds}", None, "fit, unfit")
    table.add(f"why: {verdicts['held up'][-1]}", None, None, None, None)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checks", nargs="*", help="freeze, busy, delays; all when none is named")
    parser.add_argument("--rounds", type=int, default=3, help="of busy, and a third of the freezes")
    parser.add_argument("--quick", action="store_true", help="a freeze or two, a few seconds each; not kept")
    parser.add_argument("--peers", action="store_true", help="freeze: ask other tools as well")
    options = parser.parse_args()
    wanted = options.checks or ["freeze", "busy", "delays"]
    unknown = set(wanted) - {"freeze", "busy", "delays"}
    if unknown:
        parser.error(f"no check {', '.join(sorted(unknown))}; there are: freeze, busy, delays")
    terminate_as_interrupt()
    rounds, seconds = (1, 5.0) if options.quick else (options.rounds, 20.0)
    periods = 1 if options.quick else max(2, options.rounds * 2)
    for name in wanted:
        load_before = load_average()
        tables = []
        if name == "freeze":
            say(f"freeze: {periods} freezes, {periods * PERIOD_S:.0f} s")
            tables = [check_freeze(periods), *([check_peers(periods)] if options.peers else [])]
        elif name == "busy":
            say(f"busy: {rounds} rounds of two runs of {seconds:g} s")
            tables = [check_busy(rounds, seconds)]
        else:
            say(f"delays: {seconds * 2:g} s")
            tables = [check_delays(seconds * 2)]
        for table in tables:
            table.show()
        keep(f"accuracy-{name}", f"Accuracy: {name}", tables,
             command=" ".join(["python -m benchmarks.accuracy", *sys.argv[1:]]), load_before=load_before,
             quick=options.quick)  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
