"""The HTTP/1.1 connection against servers that say one thing each, fed whole, byte by byte and with a tail."""

import errno
import socket
import threading
import time
from contextlib import closing
from dataclasses import replace

import gevent
import pytest

from harness.record.row import Flag, Outcome
from harness.transport.clock import Clock
from harness.transport.http_connection import HttpConnection
from harness.transport.options import Route
from harness.transport.sockets import Sockets
from harness.units import SECOND
from harness.wire.exchange import Answer, Failure, Request
from tests.waiting import until

PATIENCE_S = 40
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kind: test\r\n\r\nhi"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;note=x\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"
)
GET = Request("GET", "/x")
POST = Request("POST", "/x", (("Content-Type", "application/json"),), b"{}")


class Stamped:
    sent = 0


class Bench:
    """One connection to a server whose behaviour is a list of functions, one for each connection it accepts."""

    def __init__(self, tls=None):
        self.tls = tls
        self.failures = []
        self.clock = Clock()
        self.clock.failure = self.failures.append
        self.sockets = Sockets(self.clock, self.failures.append)
        self.heard = []
        self.accepted = 0
        self.threads = []

    def connection(self, *behaviours, max_body_bytes=1 << 20):
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            with listener:
                for behave in behaviours:
                    peer, _ = listener.accept()
                    self.accepted += 1
                    peer.settimeout(PATIENCE_S)
                    if self.tls is not None:
                        try:
                            peer = self.tls.server.wrap_socket(peer, server_side=True)
                        except OSError:
                            continue  # the client was gone before the handshake
                    with closing(peer):
                        behave(peer)

        self.threads.append(threading.Thread(target=serve, daemon=True))
        self.threads[-1].start()
        port = listener.getsockname()[1]
        route = Route(((socket.AF_INET, ("127.0.0.1", port)),))
        if self.tls is not None:
            route = replace(route, tls=self.tls.client, server_name="127.0.0.1")
        return HttpConnection(self.sockets, route, 0, f"127.0.0.1:{port}", max_body_bytes)

    def ask(self, connection, request=GET, timeout_s=PATIENCE_S, message=None, is_wanted=None):
        """Ask and wait: what was heard, and when it had come."""
        before = len(self.heard)
        connection.ask(
            request, lambda answer, when: self.heard.append((answer, when)), round(timeout_s * SECOND), message,
            is_wanted,
        )  # fmt: skip
        assert len(self.heard) == before, "told from within ask"
        self.until(lambda: len(self.heard) > before)
        assert len(self.heard) == before + 1
        return self.heard[-1]

    def until(self, happened):
        until(happened, PATIENCE_S, gevent.sleep)

    def finish(self):
        for thread in self.threads:
            self.until(lambda thread=thread: not thread.is_alive())
        self.clock.close()
        assert not self.failures


@pytest.fixture(params=["tcp", "tls"])
def bench(request, trust):
    bench = Bench(trust if request.param == "tls" else None)
    yield bench
    bench.finish()


def read_request(peer):
    """One request, head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(4096)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            while len(body) < int(line.split(b":")[1]):
                body += peer.recv(4096)
    return head + b"\r\n\r\n" + body


def read_to_end(peer):
    data = b""
    try:
        while part := peer.recv(65536):
            data += part
    except OSError:
        return None
    return data


def answering(*answers, byte_by_byte=False, kept=None):
    """A behaviour: one answer a request, then wait for the client's end."""

    def behave(peer):
        for answer in answers:
            request = read_request(peer)
            if kept is not None:
                kept.append(request)
            if byte_by_byte:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for number in range(len(answer)):
                    peer.sendall(answer[number : number + 1])
            else:
                peer.sendall(answer)
        read_to_end(peer)

    return behave


@pytest.mark.parametrize("byte_by_byte", [False, True])
@pytest.mark.parametrize(("answer", "body"), [(OK, b"hi"), (CHUNKED, b"hello world")])
def test_an_answer_is_the_same_whole_and_byte_by_byte(bench, answer, body, byte_by_byte):
    connection = bench.connection(answering(answer, byte_by_byte=byte_by_byte))
    found, when = bench.ask(connection)
    assert (found.status, found.body) == (200, body)
    assert when.flags == Flag.EXACT
    connection.close()


def test_headers_are_told_by_their_names_in_lower_case(bench):
    connection = bench.connection(answering(OK))
    found, _ = bench.ask(connection)
    assert found.header("x-kind") == "test"
    assert found.header("absent") == ""
    connection.close()


def test_a_request_says_its_host_its_headers_and_the_length_of_its_body(bench):
    kept = []
    connection = bench.connection(answering(OK, OK, kept=kept))
    bench.ask(connection, POST)
    bench.ask(connection, GET)
    post, get = kept
    assert post.startswith(b"POST /x HTTP/1.1\r\n")
    assert post.endswith(b"\r\n\r\n{}")
    assert b"content-length: 2" in post.lower()
    assert b"host: 127.0.0.1:" in post.lower()
    assert b"content-length" not in get.lower()
    connection.close()


def test_signs_beyond_ascii_go_out_as_utf8_in_headers_and_escaped_in_the_target(bench):
    kept = []
    connection = bench.connection(answering(OK, kept=kept))
    found, _ = bench.ask(connection, Request("GET", "/gr%C3%BCn/grün?a=ü&b=%20", (("X-Name", "grün"),)))
    assert found.status == 200
    assert kept[0].startswith(b"GET /gr%C3%BCn/gr%C3%BCn?a=%C3%BC&b=%20 HTTP/1.1\r\n")
    assert "X-Name: grün\r\n".encode() in kept[0]
    connection.close()


@pytest.mark.parametrize("name", ["Host", "host"])
def test_a_host_of_the_plans_replaces_ours(bench, name):
    kept = []
    connection = bench.connection(answering(OK, kept=kept))
    bench.ask(connection, Request("GET", "/x", ((name, "tenant.test"),)))
    assert [line for line in kept[0].lower().splitlines() if line.startswith(b"host:")] == [b"host: tenant.test"]
    connection.close()


@pytest.mark.parametrize(
    "request_", [Request("GET", "/x", (("Grün", "a"),)), Request("GET", "/x", (("A", "\udc80"),)),
                 Request("GET", "/\udc80"), Request("GET", "/a b")],
)  # fmt: skip
def test_what_http_has_no_place_for_is_an_outcome(bench, request_):
    connection = bench.connection(read_to_end)
    failure, _ = bench.ask(connection, request_)
    assert failure.outcome is Outcome.GARBLED
    assert "cannot be written as HTTP" in failure.text


def test_one_connection_serves_many_requests(bench):
    connection = bench.connection(answering(OK, CHUNKED, OK))
    assert [bench.ask(connection)[0].body for _ in range(3)] == [b"hi", b"hello world", b"hi"]
    assert bench.accepted == 1
    connection.close()


def test_a_second_request_before_the_answer_to_the_first_is_refused(bench):
    connection = bench.connection(read_to_end)
    connection.ask(GET, lambda answer, when: None, SECOND)
    with pytest.raises(ValueError, match="one request at a time"):
        connection.ask(GET, lambda answer, when: None, SECOND)
    connection.close()


def test_a_tail_that_nobody_asked_for_ends_the_connection_and_not_the_answer(bench):
    connection = bench.connection(answering(OK + b"HTTP/1.1 200 OK\r\n"), answering(OK))
    found, when = bench.ask(connection)
    assert found.body == b"hi"
    assert when.flags == Flag.BOUNDED
    assert not connection.is_connected
    assert bench.ask(connection)[0].body == b"hi"
    connection.close()


def test_what_the_endpoint_closed_while_idle_is_dialled_again(bench):
    connection = bench.connection(lambda peer: answering_then_close(peer), answering(OK))
    bench.ask(connection)
    bench.until(lambda: not connection.is_connected)
    assert bench.ask(connection, POST)[0].status == 200
    assert bench.accepted == 2
    connection.close()


def answering_then_close(peer):
    read_request(peer)
    peer.sendall(OK)


def closing_on_second_request(peer):
    read_request(peer)
    peer.sendall(OK)
    read_request(peer)


def test_a_get_that_meets_a_closing_connection_is_sent_once_more(bench):
    connection = bench.connection(closing_on_second_request, answering(OK))
    bench.ask(connection)
    assert bench.ask(connection)[0].body == b"hi"
    assert bench.accepted == 2
    connection.close()


def test_a_post_that_meets_a_closing_connection_is_never_sent_twice(bench):
    connection = bench.connection(closing_on_second_request)
    bench.ask(connection)
    failure, _ = bench.ask(connection, POST)
    assert (failure.outcome, bench.accepted) == (Outcome.CLOSED, 1)


def test_a_get_on_a_new_connection_is_not_sent_twice(bench):
    connection = bench.connection(read_request)
    failure, _ = bench.ask(connection)
    assert failure == Failure(Outcome.CLOSED, 0, "the connection ended before an answer")


def test_connection_close_is_honoured(bench):
    connection = bench.connection(
        answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), answering(OK)
    )
    assert bench.ask(connection)[0].body == b""
    assert not connection.is_connected
    assert bench.ask(connection)[0].body == b"hi"
    connection.close()


def test_an_answer_without_length_ends_with_the_stream(bench):
    def behave(peer):
        read_request(peer)
        peer.sendall(b"HTTP/1.0 200 OK\r\n\r\nas long as it takes")

    connection = bench.connection(behave)
    found, _ = bench.ask(connection)
    assert isinstance(found, Answer)
    assert found.body == b"as long as it takes"


def test_an_informational_answer_is_not_the_answer(bench):
    connection = bench.connection(answering(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK))
    assert bench.ask(connection)[0].status == 200
    connection.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A" * 70_000,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_garbage_is_an_outcome(bench, garbage):
    connection = bench.connection(answering(garbage))
    failure, when = bench.ask(connection)
    assert failure.outcome is Outcome.GARBLED, failure
    assert when.arrived
    assert not connection.is_connected


def test_an_answer_longer_than_allowed_is_garbled(bench):
    connection = bench.connection(
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 5000), max_body_bytes=1000
    )
    failure, _ = bench.ask(connection)
    assert failure.outcome is Outcome.GARBLED
    assert "1000" in failure.text


def test_a_stream_that_ends_in_the_middle_is_closed_and_never_an_answer(bench):
    def behave(peer):
        read_request(peer)
        peer.sendall(OK[:-1])

    failure, _ = bench.ask(bench.connection(behave))
    assert failure.outcome is Outcome.CLOSED


def test_a_reset_is_told_with_its_errno(bench):
    def behave(peer):
        peer.recv(1)  # the rest stays unread: closing resets
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    failure, _ = bench.ask(bench.connection(behave))
    assert (failure.outcome, failure.code) == (Outcome.CLOSED, errno.ECONNRESET)


def test_nobody_listening_is_told_with_its_errno(bench):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    connection = HttpConnection(bench.sockets, Route(((socket.AF_INET, address),)), 0, "x", 1000)
    failure, _ = bench.ask(connection)
    assert (failure.outcome, failure.code) == (Outcome.CLOSED, errno.ECONNREFUSED)


def test_a_dribble_expires_and_the_next_request_gets_a_new_connection(bench):
    def dribble(peer):
        read_request(peer)
        peer.sendall(OK[:-1])
        read_to_end(peer)

    connection = bench.connection(dribble, answering(OK))
    failure, _ = bench.ask(connection, timeout_s=0.2)
    assert failure == Failure(Outcome.EXPIRED, 0, "no answer in time")
    assert bench.ask(connection)[0].body == b"hi"
    connection.close()


def test_a_large_body_is_stamped_when_its_last_byte_leaves(bench):
    began, ended = [], []
    body = b"y" * 24_000_000  # more than buffers hold

    def slow(peer):
        time.sleep(0.1)
        began.append(time.monotonic_ns())
        left = len(body)
        while left > 0:
            left -= len(peer.recv(1 << 20))
        ended.append(time.monotonic_ns())
        peer.sendall(OK)
        read_to_end(peer)

    message = Stamped()
    connection = bench.connection(slow)
    bench.ask(connection, Request("POST", "/x", (), body), message=message)
    assert began[0] <= message.sent <= ended[0]
    connection.close()


def test_a_dialled_connection_stands_before_anything_is_asked(bench):
    told = []
    connection = bench.connection(answering(OK))
    connection.dial(lambda failure, sent, when: told.append((failure, sent, when)), SECOND)
    assert connection.is_busy
    bench.until(lambda: told)
    failure, sent, when = told[0]
    assert failure is None
    assert 0 < sent <= when.arrived
    assert connection.is_connected
    bench.ask(connection)
    assert bench.accepted == 1
    connection.close()


def test_a_header_that_is_not_one_is_an_outcome_and_reaches_nobody(bench):
    seen = []
    connection = bench.connection(lambda peer: seen.append(read_to_end(peer)))
    failure, _ = bench.ask(connection, Request("GET", "/x", (("Bad", "a\r\nInjected: b"),)))
    assert failure.outcome is Outcome.GARBLED
    assert not connection.is_connected
    bench.until(lambda: seen)
    assert seen == [b""]


@pytest.mark.parametrize("end", ["close", "reset", "half_close", "silence"])
def test_whoever_waits_is_not_told_of_an_end_of_our_own_making(bench, end):
    ends = []
    connection = bench.connection(lambda peer: ends.append(read_to_end(peer)))
    connection.ask(GET, lambda answer, when: bench.heard.append(answer), SECOND // 10)
    bench.until(lambda: connection.is_connected)
    getattr(connection, end)()
    gevent.sleep(0.2)
    assert bench.heard == []
    assert not connection.is_busy
    connection.reset()
    bench.until(lambda: ends)
    if bench.tls is None:  # under TLS either is the same error
        assert (ends[0] is None) == (end in ("reset", "silence"))


def test_a_request_that_nobody_wants_any_more_once_the_connection_stands_is_not_sent(bench):
    kept = []
    connection = bench.connection(answering(OK, kept=kept))
    answer, _ = bench.ask(connection, Request("POST", "/late", (), b"{}"), is_wanted=lambda: False)
    assert answer.outcome is Outcome.EXPIRED
    answer, _ = bench.ask(connection, POST)
    assert answer.status == 200
    assert [data.split()[1] for data in kept] == [b"/x"]  # on the connection that stood
    connection.close()
