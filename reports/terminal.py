"""The summary of a report for a terminal: what is wrong first, then how fast, then who was lost."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .growth import in_words
from .ledger import in_words as named_in_words
from .patterns import COUNTED
from .patterns import SHOWN as COMPARED
from .recovery import recovered_in_words
from .storms import in_words as storm_in_words
from .strays import in_words as strays_in_words

SHOWN = (
    ("response", "response", "due to answer"),
    ("service", "service", "sent to answer"),
    ("delivery", "delivery", "due to each receiver"),
    ("transit", "transit", "sent to each receiver"),
    ("login", "login", "request to token"),
    ("open", "open", "due to upgraded"),
    ("join", "join", ""),
    ("ack", "ack", ""),
    ("pong", "keepalive", "ping to pong"),
    ("reject", "time to reject", "all"),
    ("lag", "our lag", "all"),
    ("read_lag", "our read lag", "all"),
)
NOT_LISTED = "without a lasting connection they are in no list of connections, and nothing is to be noticed"
OF_ALL = ("reject", "lag", "read_lag")
CLOSED = (
    "closed loop: each message waited for the answer to the one before, so a slow endpoint slowed its own load down; "
    "response is not free of coordinated omission"
)


def show(report: dict[str, Any], console: Console) -> None:
    """Print the summary."""
    run, fitness = report["run"], report["fitness"]
    style = "bold green" if fitness["verdict"] == "fit" else "bold red"
    console.print()
    head = (
        f" {run['status']}, {run['duration_s']:.0f} s, {run['sessions']} sessions ({run['sessions_faulted']} faulted): "
    )
    _say(console, Text.assemble((run["name"], "bold"), head, (fitness["verdict"], style)))
    for reason in (*fitness["reasons"], *run["warnings"]):
        _say(console, f"  {reason}", "red")
    if run["loop"] == "closed":
        _say(console, f"  {CLOSED}", "yellow")
    for note in fitness["notes"]:
        _say(console, f"  {note}", "yellow")
    for skipped in run["skipped"]:
        text = f"  skipped {skipped['fault']}: {skipped['reason']}"
        _say(console, text, "yellow")
    _findings(report, console)
    console.print(_figures(report))
    if report["patterns"]:
        console.print(_patterns(report["patterns"]))
    _ledger(report, console)
    if words := named_in_words(report):
        _say(console, f"rooms     {words}", "yellow")
    if report["recovery"] is not None:
        words = recovered_in_words(report["recovery"], report["ledger"]["missed_while_away"])
        _say(console, f"recovery  {words}")
    for storm in report["storms"]:
        _say(console, f"storm     {storm_in_words(storm)}")
    _stale(report, console)
    _rejections(report, console)
    for found in report["growth"]:
        grows = "bold red" if found["verdict"] == "grows" else None
        _say(console, f"growth    {in_words(found)}", grows)
    if ended := report["closes"]["expected"]:
        said = ", ".join(f"{count} {reason}" for reason, count in ended.items())
        _say(console, f"closes    expected by the contract: {said}")
    if words := strays_in_words(report["strays"]):
        _say(console, f"frames    {words}", "yellow")
    _ourselves(fitness, console)
    stamps = fitness["stamps"]
    if stamps["exact"] is not None:
        _say(
            console,
            f"arrival   {stamps['exact']:.1%} exact kernel stamps, {stamps['bounded']:.1%} upper bounds, "
            f"{stamps['read']:.1%} our own reading",
        )


def _say(console: Console, text: str | Text, style: str | None = None) -> None:
    """One line. What a plan or an endpoint says may hold brackets: they are no markup."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def _findings(report: dict[str, Any], console: Console) -> None:
    if not report["findings"]:
        absent = [name for name, count in report["finding_counts"].items() if count is None]
        unjudged = f" (not judged: {', '.join(absent)})" if absent else ""
        _say(console, f"findings  none{unjudged}")
    for finding in report["findings"]:
        _say(console, Text.assemble((f"{finding['name']:<22}", "bold red"), f" {finding['text']}"))


def _figures(report: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("milliseconds", no_wrap=True)
    for name in ("count", "p50", "p95", "p99", "p99.9", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for key, name, _ in SHOWN:
        found = report["figures"][key]["all" if key in OF_ALL else "untouched"]
        if found["count"]:
            cells = [milliseconds(found[part]) for part in ("p50", "p95", "p99", "p999", "max")]
            table.add_row(name, str(found["count"]), *cells)
    return table


def _patterns(found: list[dict[str, Any]]) -> Table:
    """The scenarios of a mixed run, one column each."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("side by side", no_wrap=True)
    for one in found:
        same = one["scenario"] == one["pattern"]
        table.add_column(one["scenario"] if same else f"{one['scenario']} ({one['pattern']})", justify="right")
    for key, name, _ in COMPARED:
        for part in ("p50", "p99"):
            table.add_row(f"{name} {part}", *(milliseconds(one["figures"][key][part]) for one in found))
    for key, name in COUNTED:
        table.add_row(name, *("" if one[key] is None else str(one[key]) for one in found))
    return table


def _ledger(report: dict[str, Any], console: Console) -> None:
    ledger = report["ledger"]
    for group in ("untouched", "faulted"):
        part = ledger[group]
        if part["owed"] or part["duplicated"] or part["leaked"]:
            reordered = part["reordered"] if part["reordered"] is not None else "-"
            _say(
                console,
                f"ledger    {group}: {part['owed']} deliveries owed, {part['paid']} paid, {part['lost']} lost, "
                f"{part['duplicated']} duplicated, {reordered} reordered, {part['leaked']} leaked",
            )


def _stale(report: dict[str, Any], console: Console) -> None:
    stale = report["stale"]
    if stale is None:
        _say(console, "stale     not observed: the plan has no [observe] url")
        return
    if stale["not_listed"]:
        _say(console, f"stale     {stale['not_listed']} dropped clients poll: {NOT_LISTED}")
    if not stale["by_way"]:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("dropped by", "count", "noticed", "p50 s", "p95 s", "max s", "overdue", "too early", "unseen"):
        table.add_column(name, justify="left" if name == "dropped by" else "right", no_wrap=True)
    for way, part in stale["by_way"].items():
        after = part["noticed_at_most"]
        table.add_row(
            way, str(part["dropped"]), str(part["noticed"]), *(_s(after[name]) for name in ("p50", "p95", "max")),
            str(part["overdue"] + part["unnoticed"]), str(part["too_early_to_tell"]), str(part["unseen"]),
        )  # fmt: skip
    console.print(table)


MALFORMED = (
    ("rejected_as_expected", "rejected as expected"),
    ("accepted", "accepted"),
    ("wrong_code", "refused in a wrong way"),
    ("unanswered", "unanswered"),
    ("throttled", "throttled"),
    ("too_early_to_tell", "too early to tell"),
)
BURSTS = (
    ("accepted", "accepted"),
    ("throttled", "throttled"),
    ("rejected_otherwise", "rejected otherwise"),
    ("closed", "cut off"),
    ("unanswered", "unanswered"),
)
ALWAYS = 4
"""So many of the first are named even when there were none."""


def _rejections(report: dict[str, Any], console: Console) -> None:
    malformed, throttle = report["rejections"]["malformed"], report["rejections"]["throttle"]
    if malformed:
        _say(console, f"malformed {malformed['sent']} sent: {_counted(malformed, MALFORMED)}")
    if throttle:
        over = throttle["accepted_over_limit"]
        beyond = f"; {over} over the limit" if over is not None else ""
        _say(
            console, f"bursts    {throttle['sent']} sent in {throttle['bursts']}: {_counted(throttle, BURSTS)}{beyond}"
        )


def _counted(found: dict[str, Any], names: tuple[tuple[str, str], ...]) -> str:
    """How many of each; together they are all that were sent."""
    return ", ".join(f"{found[key]} {word}" for n, (key, word) in enumerate(names) if found[key] or n < ALWAYS)


def _ourselves(fitness: dict[str, Any], console: Console) -> None:
    """What each process did to its own measurement."""
    several = len(fitness["processes"]) > 1
    for one in fitness["processes"]:
        cpu = "-" if one["cpu_p95"] is None else f"{one['cpu_p95']:.0%}"
        whose = f"process {one['process']}: " if several else ""
        _say(
            console,
            f"ourselves {whose}lag p99 {milliseconds(one['lag_p99_ms'])} ms, read lag p99 "
            f"{milliseconds(one['read_lag_p99_ms'])} ms, CPU p95 {cpu} of a core, event loop late by "
            f"{milliseconds(one['loop_lag_max_ms'])} ms at worst, {one['resident_max_mib'] or 0:.0f} MiB",
        )


def milliseconds(value: float | None) -> str:
    """A figure with as many digits as mean something; "-" when absent."""
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _s(value_ms: float | None) -> str:
    return "-" if value_ms is None else f"{value_ms / 1000:.1f}"
