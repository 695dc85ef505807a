"""What is shown while a run runs: a live view on a terminal, otherwise one plain line every 5 s; always on stderr.

Everything here is approximate and says "so far"; the report is made from the rows.
"""

from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..client.tally import Snapshot
from ..units import SECOND
from .generator import Generator
from .self_metrics import Warnings

LINE_EVERY = 5


class View:
    """Shown every second by `refresh`; a context manager that restores the terminal."""

    def __init__(self, generator: Generator, console: Console) -> None:
        self._generator = generator
        self._console = console
        self._seconds = 0
        self._warnings = Warnings(LINE_EVERY)
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._told = -1

    def __enter__(self) -> "View":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
                 ) -> None:  # fmt: skip
        if self._live is not None:
            self._live.stop()

    def refresh(self) -> None:
        """Show the present state; to be called once a second."""
        self._seconds += 1
        latest = self._generator.run.sampler.latest
        if self._live is not None:
            self._live.update(self._table(latest), refresh=True)
            return
        for text in self._warnings.fresh(self._generator.run.metrics.warnings):
            self._console.print(f"warning: {text}", style="yellow", highlight=False, markup=False, soft_wrap=True)
        if self._seconds % LINE_EVERY == 0 and latest is not None:
            self.say(self._line(latest))

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _line(self, latest: Snapshot) -> str:
        # Since the last line, so that no injection is shown twice.
        new = [act for act in self._generator.run.context.tally.acts if act.at_ns > self._told]
        self._told = max([self._told, *(act.at_ns for act in new)])
        last = f"  chaos: {', '.join(act.text for act in new)}" if new else ""
        return (
            f"{self._elapsed_s():4.0f}s {self._phase():<6} open {latest.open_sessions}/{self._planned()}"
            f"  sent {latest.sent}/s  delivered {latest.deliveries}/s"
            f"  response p50 {_ms(latest.response_p50)} p99 {_ms(latest.response_p99)}"
            f"  send delay p99 {self._lag()}  lost so far {latest.lost}  {self._left_s():.0f}s left{last}"
        )

    def _table(self, latest: Snapshot | None) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", justify="right")
        table.add_column()
        plan = self._generator.orders.plan
        head = Text.assemble((plan.name, "bold"), f"  {self._phase()}, {self._left_s():.0f} s left")
        table.add_row("squall", head)
        if latest is None:
            table.add_row("sessions", f"opening {self._planned()}")
            return table
        table.add_row("sessions", f"{latest.open_sessions} open of {self._planned()}")
        table.add_row("per second", f"{latest.sent} messages sent, {latest.deliveries} deliveries, {_rest(latest)}")
        table.add_row("response", f"p50 {_ms(latest.response_p50)}, p99 {_ms(latest.response_p99)}")
        metrics = self._generator.run.metrics
        read = _ms(metrics.read_lag.p99) if metrics.read_lag is not None else "-"
        own = f"send delay p99 {self._lag()}, read delay p99 {read}, CPU {metrics.cpu_share:.0%} of a core"
        table.add_row("generator", own)
        for text in metrics.warnings:
            table.add_row("", Text(text, style="bold yellow"))
        lost = Text(f"{latest.lost} deliveries so far", style="bold red" if latest.lost else "")
        table.add_row("lost", lost)
        for act in self._generator.run.context.tally.acts:
            table.add_row("chaos", f"{act.at_ns / SECOND:5.1f} s  {act.text}")
        return table

    def _lag(self) -> str:
        lag = self._generator.run.metrics.lag
        return _ms(lag.p99) if lag is not None else "-"

    def _planned(self) -> int:
        return len(self._generator.roster.seats)

    def _phase(self) -> str:
        generator = self._generator
        now = generator.clock.now()
        if not generator.is_loading:
            return "settle"
        return "ramp" if now < generator.timeline.load_start_ns else "load"

    def _elapsed_s(self) -> float:
        return max(0.0, (self._generator.clock.now() - self._generator.timeline.start_ns) / SECOND)

    def _left_s(self) -> float:
        generator = self._generator
        end = generator.timeline.load_end_ns + generator.timeline.settle_ns
        return max(0.0, (end - generator.clock.now()) / SECOND)


def _rest(latest: Snapshot) -> str:
    return f"{latest.rejected} rejected, {latest.abandoned} abandoned"


def _ms(value: int | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1e6:.2f} ms" if value < 100_000_000 else f"{value / 1e6:.0f} ms"
