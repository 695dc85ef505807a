"""Findings about clients that paid for what another client did."""

from harness.record.row import Kind, Outcome

from .. import words
from ..registry import NotJudged, Verdict, finding, found
from ..rows import Rows
from ..sections.closes import Closes
from ..sections.held_up import HeldUp


@finding(
    "bystanders-cut",
    section="closes",
    meaning="a malformed payload of one client ended the connections of others",
    sentence="malformed payloads ended {count} connections of other clients",
)
def bystanders_cut(rows: Rows, closes: Closes) -> Verdict:
    """At once, and more often than by chance."""
    if not len(rows.of(Kind.PROBE)):
        return NotJudged(words.NO_MALFORMED)
    opened = len(rows.of(Kind.OPEN, Outcome.OK))
    return found(closes.bystanders, opened, "connections", first_s=closes.bystanders_first_s)


@finding(
    "held-up",
    section="held_up",
    meaning="deliveries to clients that read were late while another client did not read",
    sentence="a client that did not read held up {count} deliveries to {sessions} sessions, by up to {longest_s:.1f} s",
    rests_on="latency",
)
def held_up_by_others(held_up: HeldUp | None) -> Verdict:
    """By a client that stalls, is out of reach, or reads slowly."""
    if held_up is None:
        return NotJudged(words.ALL_READ)
    if held_up.usual_p99_ms is None or not held_up.deliveries:
        return NotJudged(words.NOTHING_TO_COMPARE)
    longest_s = (held_up.longest_ms or 0.0) / 1000
    whom = f"{held_up.sessions} sessions" if held_up.late else ""
    return found(
        held_up.late,
        held_up.deliveries,
        "deliveries while a client did not read",
        first_s=held_up.first_s,
        whom=whom,
        sessions=held_up.sessions,
        longest_s=longest_s,
    )
