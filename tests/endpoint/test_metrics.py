"""What /metrics counts, and what health and readiness say."""

import contextlib
import math
import socket
import sqlite3
import urllib.request

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.waiting import until

UPGRADE = (
    "GET /ws?token={token} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def difference(before, after):
    """The samples that changed, by how much."""
    return {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}


def test_every_message_delivery_and_refusal_is_counted_once(serving):
    with serving("--throttle-burst", "5", "--throttle-per-s", "0.001") as endpoint:
        before = endpoint.metrics()
        with endpoint.client("ann") as ann, endpoint.client("bo") as bo:
            for client in (ann, bo):
                client.ask("joinRoom", "j")
            ann.send("sendMessage", "m", text="hi")
            ann.until("m")
            ann.get()
            bo.get()
            ann.ask("sendMessage", "n", "elsewhere", text="hi")
            ann.raw("{")
            ann.get()
            ann.ask("ping", "p")
            ann.ask("ping", "q")
            now = difference(before, endpoint.metrics())
            assert now["squall_connections"] == 2 and now["squall_rooms"] == 1
            with contextlib.suppress(InvalidStatus), connect(endpoint.url):
                pass
        endpoint.eventually_listed(set())
        now = difference(before, endpoint.metrics())
    assert now["squall_connects_total"] == 2
    assert now["squall_messages_total"] == 7
    assert now["squall_accepted_total"] == 1
    assert now["squall_deliveries_total"] == 2
    assert now['squall_rejected_total{code="403"}'] == 1
    assert now['squall_rejected_total{code="400"}'] == 1
    assert now['squall_throttled_total{bucket="connection"}'] == 1
    assert now['squall_handshakes_refused_total{status="401"}'] == 1
    assert now['squall_disconnects_total{reason="closed by the client"}'] == 2
    assert now["squall_accept_seconds_count"] == now["squall_deliver_seconds_count"] == 1
    assert now["squall_accept_seconds_sum"] > 0


def test_pushes_are_counted_by_how_they_ended(endpoint):
    before = endpoint.metrics()
    with endpoint.client(key="a"):
        (item,) = endpoint.listed()
        endpoint.call("POST", f"/@connections/{item['connectionId']}", b"x", endpoint.admin())
        endpoint.call("POST", "/@connections/none", b"x", endpoint.admin())
    now = difference(before, endpoint.metrics())
    assert now['squall_pushes_total{result="ok"}'] == now['squall_pushes_total{result="gone"}'] == 1
    endpoint.eventually_listed(set())


def test_calls_are_counted_by_route_and_status_and_made_up_paths_and_methods_make_no_more_of_them(endpoint):
    before = endpoint.metrics()
    endpoint.call("GET", "/rooms/a/messages", token=endpoint.token())
    endpoint.call("GET", "/rooms/b/messages", token=endpoint.token())
    endpoint.call("GET", "/rooms/b/messages")
    for made_up in ("MKCOL", "PROPFIND"):
        endpoint.call("GET", f"/{made_up}")
        endpoint.call(made_up, "/health")
    now = difference(before, endpoint.metrics())
    calls = {name.partition("{")[2]: value for name, value in now.items() if name.startswith("squall_http_calls_total")}
    assert calls.pop('method="GET"}{route="/metrics"}{status="200"}') == 1
    assert calls == {
        'method="GET"}{route="/rooms/{roomId}/messages"}{status="200"}': 2,
        'method="GET"}{route="/rooms/{roomId}/messages"}{status="401"}': 1,
        'method="GET"}{route="none"}{status="404"}': 2,
        'method="other"}{route="none"}{status="405"}': 2,
    }


def test_a_broken_rule_and_an_operator_are_told_apart_as_reasons_of_a_disconnect(endpoint):
    before = endpoint.metrics()
    with endpoint.client(key="a") as ann:
        ann.raw(b"binary")
        assert ann.close_code() == 1003
    with endpoint.client(key="b") as bo:
        (item,) = endpoint.listed()
        endpoint.call("DELETE", f"/@connections/{item['connectionId']}", token=endpoint.admin())
        assert bo.close_code() == 1000
    reasons = {
        'squall_disconnects_total{reason="broke a rule (1003)"}',
        'squall_disconnects_total{reason="closed by the operator"}',
    }
    until(lambda: reasons <= difference(before, endpoint.metrics()).keys())


def test_a_client_that_answers_no_ping_is_counted_as_stale(serving):
    with serving("--ping-interval-s", "0.1", "--ping-timeout-s", "0.1") as endpoint:
        host, port = endpoint.http.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as silent:
            silent.sendall(UPGRADE.format(token=endpoint.token()).encode())
            assert silent.recv(4096).startswith(b"HTTP/1.1 101")
            until(lambda: endpoint.metrics()["squall_stale_cleaned_total"])
        until(lambda: 'squall_disconnects_total{reason="no pong"}' in endpoint.metrics())
        assert endpoint.metrics()['squall_disconnects_total{reason="no pong"}'] == 1


def test_metrics_are_the_format_that_prometheus_reads_and_buckets_only_grow(endpoint):
    with urllib.request.urlopen(endpoint.http + "/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
    metrics = endpoint.metrics()
    bounds = [name for name in metrics if name.startswith('squall_accept_seconds_bucket{le="')]
    assert [metrics[name] for name in bounds] == sorted(metrics[name] for name in bounds)
    assert metrics['squall_accept_seconds_bucket{le="+Inf"}'] == metrics["squall_accept_seconds_count"]
    assert not any(math.isnan(value) for value in metrics.values())


def test_metrics_name_no_tenant_no_user_and_no_room(endpoint):
    with endpoint.client("somebody", "some-client", tenant="some-tenant") as client:
        client.ask("joinRoom", "j", "some-room")
        text = " ".join(endpoint.metrics())
    assert not any(name in text for name in ("somebody", "some-client", "some-tenant", "some-room"))
    endpoint.eventually_listed(set())


def test_health_and_readiness_need_no_token(endpoint):
    assert endpoint.call("GET", "/health") == (200, {"status": "ok"})
    assert endpoint.call("GET", "/ready") == (200, {"status": "ready"})


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/health", 405)])
def test_a_route_or_method_that_is_not_there_is_refused_in_json(endpoint, method, path, status):
    found, body = endpoint.call(method, path)
    assert (found, body["code"]) == (status, status) and body["message"]


def test_an_endpoint_whose_store_cannot_be_written_lives_but_is_not_ready_until_it_can(serving, tmp_path):
    file = tmp_path / "store.db"
    with serving("--store", str(file)) as endpoint, contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with endpoint.client():
            until(lambda: endpoint.call("GET", "/ready")[0] != 200)
            status, body = endpoint.call("GET", "/ready")
            assert (status, body) == (503, {"message": "not ready", "code": 503})
            assert endpoint.call("GET", "/health") == (200, {"status": "ok"})
        other.rollback()
        with endpoint.client():
            until(lambda: endpoint.call("GET", "/ready") == (200, {"status": "ready"}))


def test_bytes_that_are_no_http_are_400_and_one_line_in_the_log(serving):
    with serving() as endpoint:
        host, port = endpoint.http.removeprefix("http://").split(":")
        for junk in (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n"):
            with socket.create_connection((host, int(port)), timeout=10) as client:
                client.sendall(junk)
                assert client.recv(4096).startswith(b"HTTP/1.0 400") or client.recv(4096) == b""
        assert endpoint.call("GET", "/health")[0] == 200
        assert "not HTTP" in endpoint.log  # and the fixture looks for tracebacks
