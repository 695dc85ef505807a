"""What people see while a run runs, from a generator that is made up."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from harness.client.tally import Acted, Snapshot
from harness.engine.live_view import View
from harness.plan import build_plan
from harness.record.spread import Measured
from harness.transport.clock import FakeClock
from harness.units import SECOND

LATE = "late sends: send delay p99 80 ms (limit 50 ms)"


@pytest.fixture
def generator():
    plan = build_plan({"name": "seen", "load": {"sessions": 4, "rooms": 2}})
    return SimpleNamespace(
        orders=SimpleNamespace(plan=plan), clock=FakeClock(10 * SECOND), is_loading=True,
        timeline=SimpleNamespace(
            start_ns=5 * SECOND, load_start_ns=7 * SECOND, load_end_ns=30 * SECOND,
            settle_ns=round(plan.load.settle_s * SECOND),
        ),
        roster=SimpleNamespace(seats=range(4)),
        run=SimpleNamespace(
            sampler=SimpleNamespace(latest=Snapshot(4, 8, 8, 1, 16, 2_000_000, 3_000_000, 0, 0)),
            metrics=SimpleNamespace(
                warnings=(), lag=Measured(1, 400_000, 9), read_lag=Measured(1, 60_000, 9), cpu_share=0.25,
            ),
            context=SimpleNamespace(tally=SimpleNamespace(acts=[Acted(SECOND, "drop reset x 2")])),
        ),
    )  # fmt: skip


def shown(generator, seconds, *, terminal=False, warnings=lambda second: ()):
    stream = io.StringIO()
    console = Console(file=stream, width=200, force_terminal=terminal, color_system=None)
    with View(generator, console) as view:
        for second in range(1, seconds + 1):
            generator.run.metrics.warnings = tuple(warnings(second))
            view.refresh()
    return stream.getvalue()


def test_plain_lines_come_every_five_seconds_with_our_own_lag(generator):
    lines = shown(generator, 10).splitlines()
    assert len(lines) == 2
    for part in ("load", "open 4/4", "sent 8/s", "response p50 2.00 ms", "send delay p99 0.40 ms", "drop reset x 2"):
        assert part in lines[0]


def test_plain_lines_warn_at_once_and_not_every_second(generator):
    lines = shown(generator, 9, warnings=lambda second: [LATE] if second >= 2 else []).splitlines()
    assert [line.startswith("warning: ") for line in lines] == [True, False, True]
    assert lines[0] == f"warning: {LATE}"


def test_the_live_table_shows_the_generator_and_every_warning(generator):
    seen = shown(generator, 1, terminal=True, warnings=lambda _: [LATE, "CPU overload: 97% of a core"])
    for part in (
        "send delay p99 0.40 ms, read delay p99 0.06 ms, CPU 25% of a core",
        LATE,
        "CPU overload: 97% of a core",
    ):
        assert part in seen


def test_a_process_that_is_well_is_not_warned_of(generator):
    assert "warning" not in shown(generator, 10)
    assert "late" not in shown(generator, 1, terminal=True)


def test_what_has_not_been_measured_is_a_dash(generator):
    generator.run.metrics.lag = generator.run.metrics.read_lag = None
    assert "send delay p99 -, read delay p99 -" in shown(generator, 1, terminal=True)
