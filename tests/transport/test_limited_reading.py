"""Reading slowly on purpose: the budget by a fake clock, and real connections whose window fills and empties."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.transport.clock import FakeClock
from harness.transport.limited_reading import LimitedReading
from harness.units import SECOND
from tests.transport.flood import MESSAGE_BYTES, MESSAGES, Flood
from tests.transport.serving import accept, text
from tests.waiting import until

PER_S = 20_000


class Source:
    """Has so many bytes to read, and remembers when how many were taken."""

    def __init__(self, clock, there=1 << 40):
        self.clock, self.there, self.taken = clock, there, []

    def read(self, most):
        count = min(most, self.there)
        self.there -= count
        self.taken.append((self.clock.now(), count))
        return count

    @property
    def total(self):
        return sum(count for _, count in self.taken)


@given(st.integers(1, 10**7), st.lists(st.integers(1, 10 * SECOND), max_size=20))
def test_never_more_is_read_than_the_limit_times_the_elapsed_time(bytes_per_s, waits):
    clock = FakeClock()
    begun, source = clock.now(), Source(clock)
    LimitedReading(clock, bytes_per_s, source.read)
    for wait in waits:
        clock.advance(wait)
        assert source.total <= bytes_per_s * (clock.now() - begun) / SECOND


@pytest.mark.parametrize("bytes_per_s", [1, 3, 1000, 1 << 20])
def test_all_that_is_allowed_is_read_of_what_is_there(bytes_per_s):
    clock = FakeClock()
    source = Source(clock)
    LimitedReading(clock, bytes_per_s, source.read)
    clock.advance(60 * SECOND)
    assert source.total == 60 * bytes_per_s


def test_after_a_silence_one_seconds_worth_is_read_at_once_and_not_more():
    clock = FakeClock()
    source = Source(clock, there=0)
    LimitedReading(clock, 1000, source.read)
    clock.advance(60 * SECOND)
    source.there = 1 << 20
    clock.advance(SECOND // 4)
    assert source.total == 1000


def test_the_backlog_is_read_before_the_limit_is_said_to_be_over():
    clock = FakeClock()
    source, over = Source(clock, there=1000), []
    reading = LimitedReading(clock, 10, source.read)
    clock.advance(SECOND)
    reading.catch_up(300, lambda: over.append(source.there))
    clock.advance(0)
    assert over == [0]
    clock.advance(60 * SECOND)
    assert over == [0]
    assert source.total == 1000


@pytest.mark.parametrize("catches_up", [False, True])
def test_nothing_is_read_after_it_was_stopped_from_within(catches_up):
    clock = FakeClock()
    counts, over = [], []

    def read(most):
        counts.append(most)
        reading.stop()
        return 0

    reading = LimitedReading(clock, 1000, read)
    if catches_up:
        reading.catch_up(10, lambda: over.append(True))
    clock.advance(60 * SECOND)
    assert len(counts) == 1
    assert over == []


def test_the_window_of_a_slow_reader_fills_and_everything_arrives_when_it_reads_freely_again(bench):
    flood = Flood(bench)
    begun, reads = bench.clock.now(), bench.sockets.reads
    flood.connection.limit_reading(PER_S)
    flood.begin()
    bench.until(lambda: len(bench.witness.messages) >= 10)
    got = len(bench.witness.messages) * MESSAGE_BYTES
    assert got <= PER_S * (bench.clock.now() - begun) / SECOND
    bench.until(lambda: flood.is_stuck)
    assert len(flood.sent) < MESSAGES
    assert bench.sockets.reads == reads
    flood.connection.limit_reading(None)
    bench.until(lambda: bench.witness.endings)
    assert [int(data) for data, _ in bench.witness.messages] == list(range(MESSAGES))
    assert len(flood.sent) == MESSAGES
    assert bench.sockets.reads > reads


def test_a_slow_reader_that_is_reset_reads_nothing_more(bench):
    go = []

    def behave(peer):
        accept(peer)
        until(lambda: go)
        with suppress(OSError):
            peer.sendall(text(b"x" * 100))

    connection = bench.connect(behave)
    bench.until(lambda: bench.witness.opening)
    connection.limit_reading(PER_S)
    connection.reset()
    connection.limit_reading(None)
    go.append(True)
    bench.until(lambda: not bench.threads[0].is_alive())
    assert bench.witness.messages == []
    assert len(bench.witness.endings) == 1
