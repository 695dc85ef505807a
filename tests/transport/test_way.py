"""The way to the endpoint: proxies, addresses of ours and of its, IPv6, descriptors."""

import base64
import errno
import re
import resource
import socket
import subprocess
import sys
from contextlib import closing

import gevent
import pytest
from websockets.uri import parse_uri

from harness.auth import Redaction
from harness.errors import RunFailed, UsageError
from harness.plan import build_plan
from harness.record.row import Outcome
from harness.transport import connection_options as reach
from harness.transport.connection_options import find_addresses, make_options
from harness.transport.options import Options, Route
from harness.transport.sockets import allow_descriptors, resolve
from harness.transport.tunnel import Tunnel
from harness.transport.upgrade import BODY_BYTES
from harness.transport.websocket import WebSocket
from tests.exhausted import no_descriptors
from tests.transport.serving import accept, read_head, read_to_end

CONNECT = b"CONNECT endpoint.test:80 HTTP/1.1\r\nHost: endpoint.test:80\r\n\r\n"
OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def endpoint(**keys):
    return build_plan({"endpoint": {"url": "ws://127.0.0.1:9/"} | keys}).endpoint


def through(proxy_answer, seen=None, then=None):
    """A proxy that answers so and then is the endpoint itself."""

    def behave(peer):
        head = read_head(peer)
        if seen is not None:
            seen.append(head)
        peer.sendall(proxy_answer)
        if then is None:
            accept(peer)
        else:
            then(peer)
        read_to_end(peer)

    return behave


# -- proxies --------------------------------------------------------------------------------------------------------


def test_a_proxy_is_asked_for_the_endpoint_and_then_is_transparent(plain):
    seen = []
    connection = plain.connect(through(OPENED, seen), route=Route((), proxy_request=CONNECT))
    plain.until(lambda: plain.witness.opening)
    assert seen == [CONNECT]
    connection.reset()


def test_tls_runs_inside_the_tunnel(plain, trust):
    def behave(peer):
        read_head(peer)
        peer.sendall(OPENED)
        with closing(trust.server.wrap_socket(peer, server_side=True)) as sealed:
            accept(sealed)
            read_to_end(sealed)

    route = Route((), proxy_request=CONNECT, tls=trust.client, server_name="127.0.0.1")
    connection = plain.connect(behave, route=route)
    plain.until(lambda: plain.witness.opening)
    connection.reset()


@pytest.mark.parametrize(
    ("said", "outcome", "code", "words"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nVia: x\r\n\r\nwho",
            Outcome.REJECTED,
            407,
            "the proxy refused",
        ),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", Outcome.REJECTED, 502, "HTTP 502 Bad Gateway"),
        (b"SSH-2.0-x\r\n\r\n", Outcome.GARBLED, 0, "the proxy's answer is not HTTP"),
        (b"x" * 10_000, Outcome.GARBLED, 0, "not HTTP"),
        (OPENED + b"hello", Outcome.GARBLED, 200, "behind its answer"),
    ],
)
def test_a_proxy_that_refuses_or_babbles_is_an_outcome_with_its_words(plain, said, outcome, code, words):
    plain.connect(through(said, then=lambda peer: None), route=Route((), proxy_request=CONNECT))
    plain.until(lambda: plain.witness.refusals)
    why = plain.witness.refusals[0]
    assert (why.outcome, why.code) == (outcome, code)
    assert words in why.text
    if code == 407:
        assert (why.status, why.headers, why.body) == (407, (("Via", "x"),), "who")


def test_of_what_a_proxy_says_in_refusing_only_the_beginning_is_kept():
    why = Tunnel().feed(b"HTTP/1.1 403 No\r\n\r\n" + b"x" * 60_000)
    assert why.code == 403
    assert why.body == "x" * BODY_BYTES


def test_a_proxy_that_says_nothing_expires_and_one_that_hangs_up_is_closed(plain):
    plain.connect(read_to_end, route=Route((), proxy_request=CONNECT), timeout_s=0.1)
    plain.until(lambda: plain.witness.refusals)
    plain.connect(read_head, route=Route((), proxy_request=CONNECT))
    plain.until(lambda: len(plain.witness.refusals) == 2)
    silent, gone = plain.witness.refusals
    assert (silent.outcome, gone.outcome) == (Outcome.EXPIRED, Outcome.CLOSED)
    assert "no answer from the proxy" in silent.text
    assert "the proxy ended the connection" in gone.text


def test_the_answer_of_a_proxy_is_understood_byte_by_byte():
    tunnel = Tunnel()
    assert [tunnel.feed(bytes([sign])) for sign in OPENED] == [False] * (len(OPENED) - 1) + [True]


def test_credentials_for_a_proxy_come_from_the_environment_and_are_hidden(monkeypatch):
    monkeypatch.setenv("P_USER", "me")
    monkeypatch.setenv("P_PASS", "s3cret:@/")
    redaction = Redaction()
    proxied = endpoint(url="wss://endpoint.test/x", proxy="http://${P_USER}:${P_PASS}@127.0.0.1:3128")
    assert find_addresses(proxied, 443) == ((int(socket.AF_INET), ("127.0.0.1", 3128)),)
    request = make_options(proxied, 443, find_addresses(proxied, 443), redaction).route.proxy_request
    login = base64.b64encode(b"me:s3cret:@/")
    assert request.startswith(b"CONNECT endpoint.test:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + login in request
    assert "s3cret" not in redaction.conceal("denied for s3cret:@/")
    assert login.decode() not in redaction.conceal(f"denied for {login.decode()}")


def test_an_ipv6_endpoint_is_named_in_brackets_to_the_proxy():
    proxied = endpoint(url="ws://[::1]:9000/", proxy="http://[::1]")
    assert find_addresses(proxied, 9000)[0][1][:2] == ("::1", 80)
    request = make_options(proxied, 9000, find_addresses(proxied, 9000), Redaction()).route.proxy_request
    assert request.startswith(b"CONNECT [::1]:9000 HTTP/1.1")


# -- addresses ------------------------------------------------------------------------------------------------------


def test_an_ipv6_address_is_called_like_any_other(bench):
    connection = bench.connect(
        lambda peer: (accept(peer), read_to_end(peer)), host="::1", route=Route((), server_name="::1")
    )
    if bench.tls is not None:
        bench.until(lambda: bench.witness.refusals)  # the certificate is for 127.0.0.1
        assert "::1" in bench.witness.refusals[0].text
    else:
        bench.until(lambda: bench.witness.opening)
        connection.reset()


def test_sessions_are_spread_over_all_pairs_of_addresses():
    four, six = int(socket.AF_INET), int(socket.AF_INET6)
    route = Route(
        ((four, ("192.0.2.1", 80)), (six, ("2001:db8::1", 80, 0, 0)), (four, ("192.0.2.2", 80))),
        sources={four: ("192.0.2.7", "192.0.2.8")},
    )
    hops = [(address[1][0], source) for address, source in map(route.hop, range(6))]
    assert hops == [
        ("192.0.2.1", "192.0.2.7"), ("2001:db8::1", ""), ("192.0.2.2", "192.0.2.7"),
        ("192.0.2.1", "192.0.2.8"), ("2001:db8::1", ""), ("192.0.2.2", "192.0.2.8"),
    ]  # fmt: skip


def test_a_name_with_several_answers_gives_each_once(monkeypatch):
    found = [(socket.AF_INET, 1, 6, "", ("127.0.0.2", 80)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found * 2)
    assert [address[0] for _, address in resolve("many.test", 80)] == ["127.0.0.2", "127.0.0.1"]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 80 + ".test"])
def test_a_host_that_cannot_be_found_is_told_in_one_line(host):
    with pytest.raises(RunFailed, match="cannot find the host") as caught:
        resolve(host, 80)
    assert "\n" not in str(caught.value)


def test_a_source_address_is_the_one_that_the_endpoint_sees(plain):
    behave = lambda peer: (accept(peer), read_to_end(peer))  # noqa: E731
    one = plain.connect(behave, route=Route((), sources={int(socket.AF_INET): ("127.0.0.77",)}))
    plain.until(lambda: plain.witness.opening)
    assert plain.callers == ["127.0.0.77"]
    one.reset()


def test_a_network_of_ours_is_all_of_its_hosts():
    wanted = endpoint(source_addresses=["127.0.0.9", "127.0.1.0/29"])
    route = make_options(wanted, 9, find_addresses(wanted, 9), Redaction()).route
    assert route.sources == {int(socket.AF_INET): ("127.0.0.9", *(f"127.0.1.{number}" for number in range(1, 7)))}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("192.0.2.1", "192.0.2.1 is not an address of this machine"),
        ("192.0.2.0/30", r"192.0.2.1 \(of 192.0.2.0/30\) is not an address of this machine"),
        ("::1", "is IPv6, and the endpoint is not"),
    ],
)
def test_a_source_address_that_is_not_ours_is_told_before_the_run(source, said):
    wanted = endpoint(source_addresses=[source])
    with pytest.raises(UsageError, match=said):
        make_options(wanted, 9, find_addresses(wanted, 9), Redaction())


def test_one_local_port_serves_two_source_addresses_so_that_their_connections_add_up():
    """What IP_BIND_ADDRESS_NO_PORT is for: bind() alone would take a port for all destinations."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ports = []
        for _ in range(2):
            with socket.socket() as sock:
                reach.bind(sock, "127.0.0.3")
                assert sock.getsockname()[1] == 0  # none taken yet
                sock.connect(listener.getsockname())
                ports.append(sock.getsockname())
        assert {host for host, _ in ports} == {"127.0.0.3"}


# -- descriptors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limits", "wanted", "soft"), [((1024, 4096), 1256, 4096), ((1024, 4096), 10, 4096),
                                                          ((1024, -1), 10, -1)])  # fmt: skip
def test_the_limit_of_open_files_is_raised_as_far_as_it_goes(monkeypatch, limits, wanted, soft):
    raised = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, to: raised.append(to))
    allow_descriptors(wanted)
    assert raised == [(soft, limits[1])]


def test_more_open_files_than_are_ever_allowed_are_refused_with_advice(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    with pytest.raises(RunFailed, match=r"5000 open files are needed and 4096 are allowed: .*ulimit -Hn 5000"):
        allow_descriptors(5000)


def test_the_kernel_s_table_of_open_files_has_room_for_all_before_the_first_is_opened():
    code = (
        "from harness.transport.sockets import allow_descriptors; allow_descriptors(900); "
        "print(open('/proc/self/status').read())"
    )
    status = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(re.search(r"FDSize:\s+(\d+)", status)[1]) >= 900


def test_running_out_of_descriptors_refuses_this_connection_and_no_other(plain):
    first = plain.connect(lambda peer: (accept(peer), read_to_end(peer)))
    plain.until(lambda: plain.witness.opening)
    second = WebSocket(plain.sockets, plain.witness, first._options)
    with no_descriptors():
        second.connect(1, parse_uri("ws://127.0.0.1/"), {}, ())
        plain.until(lambda: plain.witness.refusals)
    why = plain.witness.refusals[0]
    assert (why.outcome, why.code) == (Outcome.CLOSED, errno.EMFILE)
    assert first.send(b"still here")
    first.reset()


def test_a_connection_reset_before_it_is_up_is_abandoned_and_silent_afterwards(plain):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = Options(Route(((int(socket.AF_INET), listener.getsockname()),)))
        connection = WebSocket(plain.sockets, plain.witness, options)
        connection.connect(0, parse_uri("ws://127.0.0.1/"), {}, ())
        connection.reset()
        gevent.sleep(0.05)
    assert [why.outcome for why in plain.witness.refusals] == [Outcome.ABANDONED]
    assert connection.socket.fileno() < 0
