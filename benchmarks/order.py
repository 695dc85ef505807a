"""Nanoseconds per delivery for each kind of promised order. Run: .venv/bin/python -m benchmarks.order

The deliveries are made up: rooms of 50 members, each read with a delay of its own, as busy clients do. In the clean
case nothing is out of order; in the other one, one delivery in a thousand comes after the next one of its room.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from reports.order import Disorder, Heard, Readings, late_of_causes, late_of_room, late_of_sender
from reports.rows import Array

from .table import Table, keep, load_average

MEMBERS, ROOMS, SPREAD = 50, 100, 30
ROUNDS = 3


class Made(NamedTuple):
    """What the checks are given."""

    by_message: Heard
    by_place: Heard
    sender: Array
    sent: Array
    room: Array
    first_place: Array
    readings: Readings


def make(deliveries: int, late_share: float) -> Made:
    """Deliveries in the order of reading, of messages sorted by sender and number."""
    chance = np.random.default_rng(7)
    messages = deliveries // MEMBERS
    count = messages * MEMBERS
    number = np.repeat(np.arange(messages), MEMBERS)
    member = number % ROOMS * MEMBERS + np.tile(np.arange(MEMBERS), messages)
    at = number * MEMBERS + chance.integers(0, MEMBERS * SPREAD, count)
    read = np.empty(count, np.int64)
    shown = number + np.where(chance.random(count) < late_share, ROOMS + 0.5, 0.0)
    read[np.lexsort((shown, member))] = at[np.lexsort((at, member))]
    by_reading = np.argsort(read, kind="stable")
    number, member, read = number[by_reading], member[by_reading], read[by_reading] * 1000 + 500_000
    author = np.arange(messages) // ROOMS % MEMBERS + np.arange(messages) % ROOMS * MEMBERS
    by_author = np.argsort(author, kind="stable")
    index = np.empty(messages, np.int64)
    index[by_author] = np.arange(messages)
    message, place = index[number], np.arange(count)
    first = np.empty(messages, np.int64)
    first[message[::-1]] = place[::-1]
    order = np.lexsort((message, member))
    return Made(
        Heard(member[order], message[order], place[order]),
        Heard(member, message, place),
        author[by_author],
        by_author * MEMBERS * 1000,
        by_author % ROOMS,
        first,
        Readings(member, message, read),
    )


def nanoseconds(check: Callable[[], Disorder], deliveries: int) -> tuple[float, int]:
    """The best of a few rounds, per delivery, and how many deliveries were late."""
    best, late = float("inf"), 0
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        late = len(check().late)
        best = min(best, (time.perf_counter_ns() - began) / deliveries)
    return best, late


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small, and nothing is kept")
    quick = parser.parse_args().quick
    before = load_average()
    table = Table("Judging the order", ("deliveries", "order", "clean, ns", "1 in 1,000 late, ns", "late found"))
    for deliveries in (100_000,) if quick else (1_000_000, 3_000_000, 10_000_000):
        clean, wrong = make(deliveries, 0.0), make(deliveries, 0.001)
        for kind, check in CHECKS.items():
            took, _ = nanoseconds(partial(check, clean), deliveries)
            took_wrong, late = nanoseconds(partial(check, wrong), deliveries)
            table.add(f"{deliveries:,}", kind, f"{took:.1f}", f"{took_wrong:.1f}", f"{late:,}")
    table.show()
    keep("order", "Order", [table], command="python -m benchmarks.order", load_before=before, quick=quick)


CHECKS: dict[str, Callable[[Made], Disorder]] = {
    "sender": lambda made: late_of_sender(made.by_message, made.sender),
    "room": lambda made: late_of_room(made.by_place, made.room, made.first_place),
    "causal": lambda made: late_of_causes(
        made.by_place, made.sender, made.sent, made.readings.read[made.first_place], made.readings
    ),
}

if __name__ == "__main__":
    main()
