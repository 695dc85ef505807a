"""Keepalive pings: by the table on a clock that stands still, and on real connections."""

import gevent
import pytest

from harness.record.row import Closer, Flag, Outcome
from harness.transport.clock import FakeClock
from harness.transport.events import Arrival
from harness.transport.keepalive import Keepalive
from harness.transport.options import Options, Route
from harness.units import SECOND
from tests.transport.pairs import Line, PairBench
from tests.transport.serving import accept, close_frame, read_to_end

OPTIONS = Options(Route(()), ping_every_ns=10 * SECOND, ping_timeout_ns=4 * SECOND)
MS = 1_000_000


class Connection:
    def __init__(self, clock):
        self.clock, self.pings, self.ended = clock, [], []
        self.is_closing = False

    def send_ping(self, data, message):
        if self.is_closing:
            return False
        message.sent = self.clock.now()
        self.pings.append((self.clock.now() // SECOND, data))
        return True

    def ping_ended(self, pong, when):
        self.ended.append((pong, when))


@pytest.fixture
def clock():
    return FakeClock(0)


@pytest.fixture
def connection(clock):
    return Connection(clock)


@pytest.fixture
def keepalive(clock, connection):
    return Keepalive(clock, connection, OPTIONS, 0)


def pong(keepalive, connection, clock, number=-1):
    when = Arrival(clock.now(), clock.now(), Flag.EXACT)
    keepalive.ponged(connection.pings[number][1], when)


def test_pings_are_due_at_absolute_times_however_late_the_pongs(keepalive, connection, clock):
    for late_s in (0, 3, 1):
        clock.advance(10 * SECOND - clock.now() % (10 * SECOND))
        clock.advance(late_s * SECOND)
        pong(keepalive, connection, clock)
    clock.advance(30 * SECOND - clock.now() % SECOND)
    assert [at for at, _ in connection.pings][:4] == [10, 20, 30, 40]
    assert [(ended.due, ended.sent, when.arrived - ended.sent) for ended, when in connection.ended[:3]] == [
        (10 * SECOND, 10 * SECOND, 0), (20 * SECOND, 20 * SECOND, 3 * SECOND), (30 * SECOND, 30 * SECOND, SECOND),
    ]  # fmt: skip


def test_a_pong_that_does_not_come_in_time_expires_and_no_ping_follows(keepalive, connection, clock):
    clock.advance(13 * SECOND)
    assert not connection.ended
    clock.advance(SECOND)
    assert [(ended.outcome, when) for ended, when in connection.ended] == [(Outcome.EXPIRED, None)]
    clock.advance(100 * SECOND)
    assert len(connection.pings) == len(connection.ended) == 1


def test_a_pong_for_nothing_an_old_one_or_a_second_one_means_nothing(keepalive, connection, clock):
    keepalive.ponged(b"", Arrival(0, 0, 0))
    clock.advance(10 * SECOND)
    keepalive.ponged(b"else", Arrival(clock.now(), clock.now(), 0))
    assert not connection.ended
    pong(keepalive, connection, clock)
    pong(keepalive, connection, clock)
    clock.advance(10 * SECOND)
    pong(keepalive, connection, clock, 0)
    assert len(connection.ended) == 1


def test_a_connection_that_ends_ends_the_ping_under_way_and_all_to_come(keepalive, connection, clock):
    clock.advance(11 * SECOND)
    keepalive.stop(1006)
    keepalive.stop(1006)
    assert [ended[:2] for ended, _ in connection.ended] == [(Outcome.CLOSED, 1006)]
    clock.advance(100 * SECOND)
    assert len(connection.pings) == 1


def test_while_the_connection_is_being_closed_no_ping_is_missed(keepalive, connection, clock):
    connection.is_closing = True
    clock.advance(100 * SECOND)
    keepalive.stop(1000)
    assert not connection.ended


def test_a_ping_under_way_when_the_closing_begins_is_still_waited_for(keepalive, connection, clock):
    clock.advance(11 * SECOND)
    connection.is_closing = True
    pong(keepalive, connection, clock)
    clock.advance(100 * SECOND)
    assert [ended.outcome for ended, _ in connection.ended] == [Outcome.OK]


def test_an_endpoint_that_is_slow_to_answer_our_close_is_not_given_up_for_a_ping():
    bench = PairBench()
    line = Line(bench, ping_every_ns=SECOND, ping_timeout_ns=SECOND)
    line.feed(line.answer())
    line.connection.close()
    bench.clock.advance(4 * SECOND)
    assert not line.witness.is_over
    line.feed(close_frame(1000))
    assert (line.witness.ending.closer, line.witness.ending.code) == (Closer.US, 1000)
    line.connection.reset()
    line.close()
    bench.finish()
    assert not bench.failures


def test_on_a_real_connection_the_round_trip_is_stamped_by_the_kernel(bench):
    def behave(peer):
        accept(peer)
        for _ in range(3):
            frame = peer.recv(100)
            assert frame[0] == 0x89
            mask, data = frame[2:6], frame[6:]
            peer.sendall(b"\x8a" + bytes([len(data)]) + bytes(sign ^ mask[at % 4] for at, sign in enumerate(data)))
        read_to_end(peer)

    connection = bench.connect(behave, ping_every_ns=20 * MS, ping_timeout_ns=20 * SECOND)
    bench.until(lambda: len(bench.witness.pongs) == 3)
    for ended, when in bench.witness.pongs:
        assert ended.outcome is Outcome.OK
        assert ended.due <= ended.sent <= when.arrived <= when.read
    assert bench.witness.pongs[0][1].flags == Flag.EXACT
    connection.reset()


def test_a_connection_without_pongs_is_given_up_with_a_close_frame(bench):
    seen = []

    def behave(peer):
        accept(peer)
        seen.append(read_to_end(peer))

    connection = bench.connect(behave, ping_every_ns=20 * MS, ping_timeout_ns=10 * MS)
    bench.until(lambda: bench.witness.endings)
    end, _ = bench.witness.endings[0]
    assert (end.closer, end.outcome, end.began) == (Closer.SILENT, Outcome.CLOSED, 0)
    assert [ended.outcome for ended, _ in bench.witness.pongs] == [Outcome.EXPIRED]
    bench.until(lambda: seen)
    assert seen[0][:1] == b"\x89"
    assert b"\x88" in seen[0]
    assert connection.send(b"x") is False


def test_without_pings_in_the_options_a_connection_has_nothing_of_them(plain):
    connection = plain.connect(lambda peer: (accept(peer), read_to_end(peer)))
    plain.until(lambda: plain.witness.opening)
    gevent.sleep(0.02)
    assert connection._keepalive is None
    connection.reset()
