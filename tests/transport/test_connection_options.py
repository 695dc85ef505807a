"""From a plan's [endpoint] to what goes out on the wire: query, cookies, files beside the plan, addresses that work."""

import socket
import threading
from contextlib import closing

import pytest

from harness.auth import Access
from harness.engine.preflight import preflight
from harness.errors import RunFailed, UsageError
from harness.plan import Endpoint, build_plan
from tests.transport.serving import accept, read_to_end


def entry(session=3, conn=1, **keys):
    return Access(Endpoint(url=keys.pop("url", "ws://h:1/p"), **keys), "n1", 10).entry(session, conn)


def test_query_parameters_are_added_encoded_and_filled_for_each_session():
    uri = entry(url="ws://h:1/p?a=1", query={"who": "{key}", "b c": 'x&y={"z"}', "n": "{session}-{conn}"}).uri
    assert uri.query == "a=1&who=n1-3-1&b%20c=x%26y%3D%7B%22z%22%7D&n=3-1"


def test_cookies_join_those_of_a_header(monkeypatch):
    monkeypatch.setenv("SEEN", "yes")
    cookies = {"sid": "s{session}", "seen": "${SEEN}"}
    assert entry(cookies=cookies).headers["Cookie"] == "sid=s3; seen=yes"
    assert entry(headers={"Cookie": "a=b"}, cookies=cookies).headers["Cookie"] == "a=b; sid=s3; seen=yes"


@pytest.mark.parametrize("key", ["query", "headers", "cookies"])
def test_a_line_break_from_the_environment_is_refused(monkeypatch, key):
    monkeypatch.setenv("BROKEN", "a\r\nHost: b")
    with pytest.raises(UsageError, match=f"endpoint.{key}.x: the value holds a line break"):
        entry(**{key: {"x": "${BROKEN}"}})


def test_what_is_written_down_of_query_and_cookies_holds_no_credential():
    query, cookies = {"token": "hush", "v": "2"}, {"sid": "hush", "s": "{session}"}
    plan = build_plan({"endpoint": {"url": "ws://h/", "query": query, "cookies": cookies}})
    masked = plan.masked()["endpoint"]
    assert masked["query"] == {"token": "***", "v": "2"}
    assert masked["cookies"] == {"sid": "***", "s": "{session}"}
    assert "hush" not in str(masked)


def test_files_of_tls_are_found_beside_the_plan_and_otherwise_where_one_stands(tmp_path, monkeypatch):
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "ca.pem").touch()
    (tmp_path / "here.pem").touch()
    monkeypatch.chdir(tmp_path)
    tls = {"ca_file": "ca.pem", "cert_file": "here.pem"}
    plan = build_plan({"endpoint": {"url": "wss://h/", "tls": tls}})
    found = plan.located(tmp_path / "plans").endpoint.tls
    assert found.ca_file == str(tmp_path / "plans" / "ca.pem")
    assert found.cert_file == str(tmp_path / "here.pem")
    assert plan.masked()["endpoint"]["tls"]["ca_file"] == "ca.pem"  # written down as it was given


@pytest.fixture
def server():
    """Accepts WebSockets on 127.0.0.1 only; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with closing(peer):
                peer.settimeout(30)
                accept(peer)
                read_to_end(peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(30)


def test_an_address_of_a_name_that_takes_no_connections_is_left_out_with_a_word(server, monkeypatch):
    found = [(socket.AF_INET, 1, 6, "", (host, server)) for host in ("127.0.0.5", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)
    plan = build_plan({"endpoint": {"url": f"ws://many.test:{server}/"}})
    addresses, warnings = preflight(plan, "n1")
    assert addresses == ((int(socket.AF_INET), ("127.0.0.1", server)),)
    assert len(warnings) == 1
    assert "left out 127.0.0.5" in warnings[0]
    assert "Connection refused" in warnings[0]


def test_no_address_that_works_is_the_end(monkeypatch, server):
    found = [(socket.AF_INET, 1, 6, "", (host, server)) for host in ("127.0.0.5", "127.0.0.6")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)
    with pytest.raises(RunFailed, match="Connection refused"):
        preflight(build_plan({"endpoint": {"url": f"ws://many.test:{server}/"}}), "n1")
