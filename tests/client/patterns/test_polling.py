"""A polling conversation against a server of rooms that we wrote twice: what it hears, when, and how it ends."""

import itertools
import socket
import threading

import gevent
import pytest

from harness.client.patterns.room_poller import pause_ns
from harness.record.row import Closer, Flag, Kind, Outcome, SignalKind
from harness.units import SECOND
from tests.client.patterns.serving import rooms_server

LONG = {"mode": "long", "wait_s": 1.0, "every_s": 0.2}
INTERVAL = {"mode": "interval", "every_s": 0.1}


@pytest.fixture(scope="module", params=[LONG, INTERVAL], ids=["long", "interval"])
def mode(request):
    return request.param


def ids(bench):
    return [signal.id for signal, _ in bench.client.signals if signal.kind is SignalKind.DELIVERY]


def test_it_opens_joins_says_hears_and_leaves(make_bench, server, mode):
    bench = make_bench(server, **mode)
    bench.begin()
    sent, when, flags = bench.client.open[0]
    assert 0 < sent <= when.arrived
    assert flags == Flag.IMPLICIT  # nothing was asked
    joined, outcome, _ = bench.ask(Kind.JOIN)
    assert outcome is Outcome.OK
    assert joined.sent > 0
    said, outcome, _ = bench.ask(Kind.PUBLISH)
    assert outcome is Outcome.OK
    mine = f"n-3-{said.seq}"
    bench.until(lambda: mine in ids(bench))
    assert ids(bench).count(mine) == 1
    _, outcome, _ = bench.ask(Kind.LEAVE)
    assert outcome is Outcome.OK
    bench.conversation.close()
    assert [(end.closer, end.outcome) for end in bench.client.endings] == [(Closer.US, Outcome.OK)]


def test_what_was_said_before_joining_is_not_heard_and_what_is_said_before_leaving_is(make_bench, server, mode):
    bench = make_bench(server, **{**mode, "every_s": 30.0})
    bench.begin()
    before, _, _ = bench.ask(Kind.PUBLISH, 1)
    bench.ask(Kind.JOIN, 1)
    after, _, _ = bench.ask(Kind.PUBLISH, 1)
    bench.ask(Kind.LEAVE, 1)
    assert ids(bench) == [f"n-3-{after.seq}"]
    assert f"n-3-{before.seq}" not in ids(bench)


def test_a_delivery_bears_the_arrival_of_the_answer_that_brought_it(make_bench, server):
    bench = make_bench(server, **LONG)
    bench.begin()
    bench.ask(Kind.JOIN)
    said, _, _ = bench.ask(Kind.PUBLISH)
    bench.until(lambda: bench.client.signals)
    _, when = bench.client.signals[-1]
    brought = [poll for poll in bench.client.polls if poll[3]]
    assert when in [poll[6] for poll in brought]
    assert said.sent <= when.arrived <= when.read


def test_a_long_poll_is_held_until_there_is_something(make_bench, server):
    bench = make_bench(server, mode="long", wait_s=20.0)
    bench.begin()
    bench.ask(Kind.JOIN)
    for _ in range(3):
        said, _, _ = bench.ask(Kind.PUBLISH)
        bench.until(lambda said=said: f"n-3-{said.seq}" in ids(bench))
    assert 1 <= len(bench.client.polls) <= 3  # never one that was empty
    assert all(poll[3] for poll in bench.client.polls)


def test_a_held_poll_is_given_up_for_leaving(make_bench, server):
    bench = make_bench(server, mode="long", wait_s=60.0)
    bench.begin()
    bench.ask(Kind.JOIN)
    bench.until(lambda: bench.sockets is not None)
    gevent.sleep(0.1)
    _, outcome, _ = bench.ask(Kind.LEAVE)  # within the bench's patience, not the poll's
    assert outcome is Outcome.OK


def test_polls_at_intervals_are_due_at_absolute_times(make_bench, server):
    bench = make_bench(server, **INTERVAL)
    bench.begin()
    bench.ask(Kind.JOIN)
    bench.until(lambda: len(bench.client.polls) >= 5)
    dues = [poll[4] for poll in bench.client.polls]
    assert {(after - before) % 100_000_000 for before, after in itertools.pairwise(dues)} == {0}
    assert all(due <= poll[5] for due, poll in zip(dues, bench.client.polls, strict=True))


def test_pages_that_the_limit_cut_short_are_asked_for_at_once(make_bench, server):
    bench = make_bench(server, mode="interval", every_s=30.0, limit=3)
    bench.begin()
    bench.ask(Kind.JOIN)
    said = [bench.ask(Kind.PUBLISH)[0] for _ in range(8)]
    bench.ask(Kind.LEAVE)
    assert ids(bench) == [f"n-3-{receipt.seq}" for receipt in said]
    assert [poll[3] for poll in bench.client.polls] == [3, 3, 2]


def test_the_next_conversation_goes_on_where_the_last_one_stopped(make_bench, server):
    bench = make_bench(server, mode="interval", every_s=30.0)
    bench.begin()
    bench.ask(Kind.JOIN)
    missed, _, _ = bench.ask(Kind.PUBLISH)
    bench.conversation.reset()
    bench.client.conn = 1
    bench.begin()
    bench.ask(Kind.JOIN)
    assert ids(bench) == [f"n-3-{missed.seq}"]


def test_a_fresh_session_hears_nothing_of_what_the_one_before_missed(make_bench, server):
    bench = make_bench(server, mode="interval", every_s=30.0)
    bench.begin()
    bench.ask(Kind.JOIN)
    bench.ask(Kind.PUBLISH)
    bench.conversation.reset()
    bench.pattern.forget()
    bench.begin()
    bench.ask(Kind.JOIN)
    assert ids(bench) == []


@pytest.mark.parametrize("end", ["leave", "reset", "close"])
def test_a_held_poll_that_is_given_up_was_a_request_all_the_same(make_bench, server, end):
    bench = make_bench(server, mode="long", wait_s=60.0)
    bench.begin()
    bench.ask(Kind.JOIN)
    poller = bench.conversation._pollers[0]
    bench.until(lambda: poller._asked.sent and poller.connection.is_busy)
    sent = poller._asked.sent
    if end == "leave":
        bench.ask(Kind.LEAVE)
    else:
        getattr(bench.conversation, end)()
    given_up = [poll for poll in bench.client.polls if poll[1] is Outcome.ABANDONED]
    assert [(poll[5], poll[6].arrived) for poll in given_up] == [(sent, 0)]


def test_who_left_on_purpose_hears_nothing_of_the_time_away(make_bench, server):
    bench = make_bench(server, mode="interval", every_s=30.0)
    bench.begin()
    bench.ask(Kind.JOIN)
    bench.ask(Kind.LEAVE)
    bench.ask(Kind.PUBLISH)
    bench.ask(Kind.JOIN)
    heard, _, _ = bench.ask(Kind.PUBLISH)
    bench.ask(Kind.LEAVE)
    assert ids(bench) == [f"n-3-{heard.seq}"]


def test_a_reset_while_opening_is_a_refusal_of_our_own_making(make_bench, server):
    bench = make_bench(server)
    conversation = bench.pattern.begin(bench.client, None)
    conversation.reset()
    assert [why.outcome for why in bench.client.open] == [Outcome.ABANDONED]
    assert bench.client.endings == []
    bench.client.open.clear()


def test_without_resume_the_next_conversation_begins_anew(make_bench, server):
    bench = make_bench(server, mode="interval", every_s=30.0, resume=False)
    bench.begin()
    bench.ask(Kind.JOIN)
    bench.ask(Kind.PUBLISH)
    bench.conversation.reset()
    bench.begin()
    bench.ask(Kind.JOIN)
    assert ids(bench) == []


def test_posts_keep_their_order_and_those_that_waited_say_so(make_bench, server):
    bench = make_bench(server, **LONG)
    bench.begin()
    bench.ask(Kind.JOIN)
    said = [bench.send(Kind.PUBLISH) for _ in range(5)]
    bench.until(lambda: len(ids(bench)) == 5)
    assert ids(bench) == [f"n-3-{receipt.seq}" for receipt in said]
    assert [receipt.flags & Flag.WAITED for receipt in said] == [0] + [Flag.WAITED] * 4
    assert [receipt.sent for receipt in said] == sorted(receipt.sent for receipt in said)


def test_a_queued_post_that_nobody_waits_for_any_more_is_never_sent(make_bench, server):
    bench = make_bench(server, **LONG)
    bench.begin()
    first, forgotten, last = (bench.send(Kind.PUBLISH) for _ in range(3))
    bench.client.given_up.add(forgotten.seq)
    bench.until(lambda: bench.client.outcome(last))
    assert bench.client.outcome(first) == (Outcome.OK, 0)
    assert forgotten.sent == 0


def test_a_malformed_post_and_one_that_is_too_long_are_refused(make_bench, server):
    bench = make_bench(server, **LONG)
    bench.begin()
    told = [bench.send(Kind.PROBE, data=data) for data in (b"{", b"", b"[]", b'"' + b"x" * 3000 + b'"')]
    bench.until(lambda: all(bench.client.outcome(receipt) for receipt in told))
    assert [bench.client.outcome(receipt)[1] for receipt in told] == [400, 400, 400, 413]
    assert {bench.client.outcome(receipt)[0] for receipt in told} == {Outcome.REJECTED}


def test_a_throttled_post_is_rejected_with_429(make_bench):
    with rooms_server("--throttle", 2) as url:
        bench = make_bench(url, **LONG)
        bench.begin()
        said = [bench.send(Kind.PUBLISH) for _ in range(12)]
        bench.until(lambda: all(bench.client.outcome(receipt) for receipt in said))
        outcomes = [bench.client.outcome(receipt) for receipt in said]
        assert outcomes[0] == (Outcome.OK, 0)
        assert (Outcome.REJECTED, 429) in outcomes
        bench.conversation.reset()


def test_without_a_right_to_enter_joining_is_rejected_and_may_be_tried_again(make_bench):
    with rooms_server("--token", "other") as url:
        bench = make_bench(url, **LONG)
        bench.begin()
        for _ in range(2):
            _, outcome, code = bench.ask(Kind.JOIN)
            assert (outcome, code) == (Outcome.REJECTED, 401)
        assert bench.client.endings == []
        bench.conversation.reset()


@pytest.mark.parametrize(("status", "closer"), [(401, Closer.ENDPOINT), (403, Closer.ENDPOINT), (500, Closer.ENDPOINT)])
def test_a_poll_that_is_refused_is_recorded_and_ends_the_conversation(make_bench, status, closer):
    with rooms_server("--lie", status) as url:
        bench = make_bench(url, **LONG)
        bench.begin()
        bench.ask(Kind.JOIN)
        bench.until(lambda: bench.client.endings)
        assert [(poll[1], poll[2]) for poll in bench.client.polls] == [(Outcome.REJECTED, status)]
        end = bench.client.endings[0]
        assert (end.closer, end.code, end.outcome) == (closer, status, Outcome.CLOSED)


def test_a_throttled_poll_waits_as_long_as_it_was_told_and_the_conversation_goes_on(make_bench):
    with rooms_server("--lie", 429) as url:
        bench = make_bench(url, mode="long", wait_s=1.0, every_s=0.01)
        bench.begin()
        bench.ask(Kind.JOIN)
        bench.until(lambda: len(bench.client.polls) >= 2)
        first, second = bench.client.polls[:2]
        assert (first[1], first[2]) == (Outcome.REJECTED, 429)
        assert second[5] - first[6].arrived >= 1_000_000_000
        assert bench.client.endings == []
        bench.conversation.reset()


@pytest.mark.parametrize(
    ("asked", "pause_s"),
    [("7", 7.0), ("9" * 400, 60.0), ("", 0.5), ("soon", 0.5), ("0", 0.5), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.5)],
)
def test_no_retry_after_breaks_the_run_and_none_is_waited_for_longer_than_a_minute(asked, pause_s):
    assert pause_ns(asked, 0.5) == pause_s * SECOND


def test_an_endpoint_that_is_gone_ends_the_conversation_and_refuses_the_next(make_bench):
    with rooms_server() as url:
        bench = make_bench(url, **LONG)
        bench.begin()
        bench.ask(Kind.JOIN)
    bench.until(lambda: bench.client.endings)
    assert bench.client.endings[0].closer in (Closer.FIN, Closer.RESET)
    bench.client.open.clear()
    bench.begin()
    why = bench.client.open[0]
    assert (why.outcome, why.code) == (Outcome.CLOSED, 111)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", Outcome.GARBLED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", Outcome.GARBLED),
        (b"\x00\x01\x02\x03\r\n\r\n", Outcome.GARBLED),
        (b"", Outcome.CLOSED),
    ],
)
def test_garbage_in_place_of_a_first_poll_is_an_outcome_and_ends_the_conversation(make_bench, answer, outcome):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        peers = []
        with listener:
            for _ in range(2):
                peers.append(listener.accept()[0])
            for peer in reversed(peers):
                peer.settimeout(5)
                if peer is peers[1]:
                    peer.recv(4096)
                    peer.sendall(answer)
                peer.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    bench = make_bench(f"http://127.0.0.1:{listener.getsockname()[1]}", **LONG)
    bench.begin()
    _, told, _ = bench.ask(Kind.JOIN)
    assert told is outcome
    bench.until(lambda: bench.client.endings)
    bench.until(lambda: not thread.is_alive())


@pytest.mark.parametrize("end", ["reset", "half_close", "silence", "close"])
def test_an_end_of_our_own_making_is_told_once_and_nothing_is_heard_after_it(make_bench, server, end):
    bench = make_bench(server, mode="long", wait_s=20.0)
    bench.begin()
    bench.ask(Kind.JOIN)
    gevent.sleep(0.05)
    getattr(bench.conversation, end)()
    assert len(bench.client.endings) == 1
    assert bench.client.endings[0].closer is Closer.US
    other = make_bench(server, **LONG)
    other.client.number = 4
    other.begin()
    other.ask(Kind.PUBLISH)
    gevent.sleep(0.05)
    assert ids(bench) == []
    assert not bench.conversation.send(b"{}", bench.receipt(Kind.PUBLISH))
    bench.conversation.reset()
    assert len(bench.client.endings) == 1


def test_a_post_given_up_while_its_connection_was_made_again_is_not_sent(make_bench, server):
    bench = make_bench(server, **LONG)
    bench.begin()
    bench.ask(Kind.JOIN)
    bench.conversation._posts.connection.close()  # as when the endpoint has hung up
    late = bench.send(Kind.PUBLISH)
    bench.client.given_up.add(late.seq)
    after, outcome, _ = bench.ask(Kind.PUBLISH)
    assert outcome is Outcome.OK
    bench.until(lambda: f"n-3-{after.seq}" in ids(bench))
    assert f"n-3-{late.seq}" not in ids(bench)
    assert late.sent == 0


LOGIN = {"kind": "login", "url": "/login"}


def log_in(bench):
    bench.access.entry(bench.client.number, 0)
    bench.begin()


def test_a_token_that_runs_out_is_had_anew_and_nobody_notices(make_bench, mode):
    with rooms_server("--uses", 5) as url:
        bench = make_bench(url, auth=LOGIN, **mode)
        log_in(bench)
        bench.ask(Kind.JOIN)
        said = [bench.ask(Kind.PUBLISH) for _ in range(20)]
        assert {outcome for _, outcome, _ in said} == {Outcome.OK}
        bench.until(lambda: len(ids(bench)) == 20)
        assert bench.client.endings == []
        assert len(bench.logins) >= 5
        bench.conversation.reset()


def test_posts_behind_one_that_waits_for_another_token_keep_their_order(make_bench):
    with rooms_server("--uses", 3) as url:
        bench = make_bench(url, auth=LOGIN, mode="interval", every_s=30.0)
        log_in(bench)
        bench.ask(Kind.JOIN, 1)
        said = [bench.send(Kind.PUBLISH) for _ in range(8)]
        bench.until(lambda: all(bench.client.outcome(receipt) for receipt in said))
        assert {bench.client.outcome(receipt) for receipt in said} == {(Outcome.OK, 0)}
        assert [told[0] for told in bench.client.told if told[0].kind is Kind.PUBLISH] == said
        bench.conversation.reset()


def test_a_token_that_is_refused_when_new_is_not_asked_for_again_and_again(make_bench):
    with rooms_server("--uses", 1000, "--token", "other") as url:
        bench = make_bench(url, auth=LOGIN, mode="interval", every_s=30.0)
        log_in(bench)
        said = [bench.ask(Kind.PUBLISH) for _ in range(5)]
        assert {(outcome, code) for _, outcome, code in said} == {(Outcome.REJECTED, 401)}
        assert bench.logins == [Outcome.OK] * 2
        bench.conversation.reset()


def test_a_conversation_goes_on_after_a_leaving_that_was_refused(make_bench):
    with rooms_server("--lie", 500) as url:
        bench = make_bench(url, mode="interval", every_s=30.0)
        bench.begin()
        bench.ask(Kind.JOIN)
        assert bench.ask(Kind.LEAVE)[1:] == (Outcome.REJECTED, 500)
        gevent.idle()
        assert bench.client.endings == []
        assert bench.ask(Kind.JOIN)[1] is Outcome.OK
        bench.conversation.reset()


def test_a_leaving_that_is_throttled_waits_as_other_polls_do_until_nobody_waits_for_it(make_bench):
    with rooms_server("--lie", 429) as url:
        bench = make_bench(url, mode="long", wait_s=1.0, every_s=0.01)
        bench.begin()
        bench.ask(Kind.JOIN)
        leaving = bench.send(Kind.LEAVE)
        bench.until(lambda: len([poll for poll in bench.client.polls if poll[2] == 429]) >= 3)
        first, second = [poll for poll in bench.client.polls if poll[2] == 429][-2:]
        assert second[5] - first[6].arrived >= SECOND
        assert bench.client.outcome(leaving) is None
        bench.client.given_up.add(leaving.seq)
        bench.until(lambda: bench.client.outcome(leaving))
        assert bench.client.outcome(leaving) == (Outcome.REJECTED, 429)
        assert bench.client.endings == []
        bench.conversation.reset()
