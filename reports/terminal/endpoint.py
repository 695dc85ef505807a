"""How the terminal shows what the endpoint detected, refused, and ended."""

from collections.abc import Iterator

import msgspec
from rich.table import Table

from .. import words
from ..sections.closes import Closes
from ..sections.growth import Growth
from ..sections.held_up import HeldUp
from ..sections.rejections import Rejections
from ..sections.stale import Stale
from ..sections.strays import Strays
from ..sections.tokens import Tokens
from ..sentences import bucket_rows, grown, unmeasured, unrecognised, unsent
from ..throttle_limit import Limit
from .lines import Line, lines, seconds, table

MALFORMED = (
    ("rejected_as_expected", "rejected as expected"),
    ("accepted", "accepted"),
    ("wrong_code", "refused in another way"),
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
"""The first ones are shown even without any."""


@lines("stale")
def stale(stale: Stale | None) -> Iterator[Line | Table]:
    """Dropped connections by method."""
    if stale is None:
        yield Line(f"stale     {words.NOT_OBSERVED}")
        return
    if stale.not_listed:
        yield Line(f"stale     {words.NOT_LISTED.format(count=stale.not_listed)}")
    if not stale.by_method:
        return
    made = table("dropped by", "count", "detected", "p50 s", "p95 s", "max s", "overdue", "too early", "never listed")
    for name, one in stale.by_method.items():
        after = one.detected_at_most
        late = one.overdue + one.undetected
        counts = map(str, (late, one.too_early_to_tell, one.never_listed))
        times = map(seconds, (after.p50, after.p95, after.max))
        made.add_row(name, str(one.dropped), str(one.detected), *times, *counts)
    yield made


@lines("rejections")
def rejections(rejections: Rejections) -> Iterator[Line | Table]:
    """Malformed payloads, bursts and the throttle."""
    malformed, throttle = rejections.malformed, rejections.throttle
    if malformed:
        yield Line(f"malformed {malformed.sent} sent: {_counted(malformed, MALFORMED)}")
    if throttle:
        yield Line(f"bursts    {throttle.sent} sent in {throttle.bursts}: {_counted(throttle, BURSTS)}")
    if text := unsent(rejections):
        yield Line(f"unsent    {text}", "yellow")
    if rejections.limit:
        yield from _limit(rejections.limit)
        if text := unmeasured(rejections):
            yield Line(f"throttle  {text}")


def _limit(limit: Limit) -> Iterator[Line | Table]:
    """The throttle, promised and measured, and what was against it."""
    if limit.accepted_over_limit is not None:
        yield Line(
            f"throttle  {limit.accepted} accepted, {limit.throttled} throttled: {limit.accepted_over_limit} accepted "
            f"over the limit, {limit.throttled_within_limit} throttled within it"
        )
    if limit.measured:
        scope = words.SCOPES[limit.promised.scope] if limit.promised else words.SCOPES["connection"]
        made = table(f"throttle ({scope})", "promised", "measured", "at least", "at most")
        for label, promised, measured in bucket_rows(limit):
            values = (measured.estimate, measured.low, measured.high) if measured else (None, None, None)
            made.add_row(label, *("-" if value is None else f"{value:.4g}" for value in (promised, *values)))
        yield made


def _counted(section: msgspec.Struct, names: tuple[tuple[str, str], ...]) -> str:
    """How many of each; together they are all that were sent."""
    counts = [(getattr(section, name), label) for name, label in names]
    return ", ".join(f"{count} {label}" for n, (count, label) in enumerate(counts) if count or n < ALWAYS)


@lines("growth")
def growth(growth: list[Growth]) -> Iterator[Line]:
    """One line for each measure."""
    for one in growth:
        yield Line(f"growth    {grown(one)}", "bold red" if one.verdict == "grows" else None)


@lines("closes")
def closes(closes: Closes) -> Iterator[Line]:
    """The closes that the contract allows; the others are a finding."""
    if closes.expected:
        counts = ", ".join(f"{count} {reason}" for reason, count in closes.expected.items())
        yield Line(f"closes    expected by the contract: {counts}")


@lines("tokens")
def tokens(tokens: Tokens | None) -> Iterator[Line]:
    """Connections whose token expired."""
    if tokens is not None and tokens.expired:
        said = words.OUTLIVED.format(expired=tokens.expired, ended=tokens.ended, outlived=tokens.outlived)
        yield Line(f"tokens    {said}")


@lines("held_up")
def held_up(held_up: HeldUp | None) -> Iterator[Line]:
    """Deliveries that another client's reading delayed."""
    if held_up is not None and held_up.late:
        longest_s = (held_up.longest_ms or 0.0) / 1000
        said = words.HELD_UP.format(
            late=held_up.late, deliveries=held_up.deliveries, clients=held_up.not_reading, longest_s=longest_s
        )
        yield Line(f"held up   {said}")


@lines("strays")
def strays(strays: Strays) -> Iterator[Line]:
    """Unrecognised frames."""
    if text := unrecognised(strays):
        yield Line(f"frames    {text}", "yellow")
