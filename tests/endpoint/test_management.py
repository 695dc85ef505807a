"""The management API: pushing to one connection, looking at it, ending it."""

import socket
import time
from datetime import datetime
from urllib.parse import quote

import pytest
from websockets.exceptions import ConnectionClosed

from tests.waiting import until


def path_of(endpoint, key):
    """The management path of the connection that a client named `key`."""
    (found,) = [item["connectionId"] for item in endpoint.listed() if item["clientId"] == key]
    assert found.endswith("=")
    return f"/@connections/{quote(found, safe='')}"


@pytest.mark.parametrize("body", ['{"any":"thing"}', "hé", ""])
def test_a_push_reaches_that_client_as_it_came_and_nobody_else(endpoint, body):
    with endpoint.client(key="a") as ann, endpoint.client(key="b") as bo:
        assert endpoint.call("POST", path_of(endpoint, "a"), body.encode(), endpoint.admin()) == (200, {})
        assert ann.connection.recv(10) == body
        assert bo.ask("ping", "p")["action"] == "pong"
    endpoint.eventually_listed(set())


def test_a_connection_is_described_by_when_and_from_where(endpoint):
    before = time.time()
    with endpoint.client(key="a") as ann:
        path = path_of(endpoint, "a")
        status, first = endpoint.call("GET", path, token=endpoint.admin())
        assert status == 200 and set(first) == {"connectedAt", "lastActiveAt", "identity"}
        assert first["identity"]["sourceIp"] == "127.0.0.1" and "websockets" in first["identity"]["userAgent"]
        connected = datetime.fromisoformat(first["connectedAt"])
        assert connected.tzinfo is not None and before - 0.001 <= connected.timestamp() <= time.time()
        ann.ask("ping", "p")
        _, second = endpoint.call("GET", path, token=endpoint.admin())
        assert second["connectedAt"] == first["connectedAt"]
        assert datetime.fromisoformat(second["lastActiveAt"]) > datetime.fromisoformat(first["lastActiveAt"])
    endpoint.eventually_listed(set())


def test_deleting_a_connection_closes_it_and_takes_it_off_the_table(endpoint):
    with endpoint.client(key="a") as ann:
        path = path_of(endpoint, "a")
        assert endpoint.call("DELETE", path, token=endpoint.admin()) == (204, {})
        assert ann.close_code() == 1000
        assert endpoint.listed() == []


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_connection_that_is_not_there_is_410(endpoint, method):
    with endpoint.client(key="a"):
        left = path_of(endpoint, "a")
    endpoint.eventually_listed(set())
    for path in (left, "/@connections/abc%3D", "/@connections/%2F%00%C3%A9"):
        status, body = endpoint.call(method, path, b"x" if method == "POST" else None, endpoint.admin())
        assert (status, body["code"]) == (410, 410)


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_only_an_operator_may_and_a_token_is_needed(endpoint, method):
    with endpoint.client(key="a") as ann:
        path, body = path_of(endpoint, "a"), b"x" if method == "POST" else None
        assert endpoint.call(method, path, body)[0] == 401
        assert endpoint.call(method, path, body, endpoint.token(exp=1))[0] == 401
        assert endpoint.call(method, path, body, endpoint.token())[0] == 403
        assert ann.ask("ping", "p")["action"] == "pong"  # nothing came before it, and it is still open
    endpoint.eventually_listed(set())


def test_a_push_as_big_as_a_message_may_be_arrives_and_one_byte_more_is_413(endpoint):
    with endpoint.client(key="a") as ann:
        path = path_of(endpoint, "a")
        assert endpoint.call("POST", path, b"x" * 131072, endpoint.admin())[0] == 200
        assert ann.connection.recv(10) == "x" * 131072
        status, body = endpoint.call("POST", path, b"x" * 131073, endpoint.admin())
        assert (status, body["code"]) == (413, 413)
        assert ann.ask("ping", "p")["action"] == "pong"
    endpoint.eventually_listed(set())


def test_a_push_that_is_not_utf8_is_400_because_the_client_would_have_to_close(endpoint):
    with endpoint.client(key="a") as ann:
        assert endpoint.call("POST", path_of(endpoint, "a"), b"\xff", endpoint.admin())[0] == 400
        assert ann.ask("ping", "p")["action"] == "pong"
    endpoint.eventually_listed(set())


def test_pushes_to_a_client_that_does_not_read_end_in_429_and_it_keeps_its_connection(serving):
    with serving("--ping-interval-s", "0") as endpoint, endpoint.client(key="a") as ann:
        path = path_of(endpoint, "a")
        sent = 0
        while True:
            status, body = endpoint.call("POST", path, b"x" * 131072, endpoint.admin())
            if status != 200:
                break
            sent += 1
        assert (status, body["code"]) == (429, 429)
        assert [item["clientId"] for item in endpoint.listed()] == ["a"]
        for _ in range(sent):
            assert len(ann.connection.recv(10)) == 131072
        until(lambda: endpoint.call("POST", path, b"after", endpoint.admin())[0] == 200)
        assert ann.connection.recv(10) == "after"


def test_a_push_that_finds_the_connection_dead_deletes_it(serving):
    with serving("--defect", "stale-never") as endpoint, endpoint.client(key="a") as ann:
        path = path_of(endpoint, "a")
        ann.connection.socket.shutdown(socket.SHUT_RDWR)
        until(lambda: 'squall_disconnects_total{reason="lost"}' in endpoint.metrics())
        assert [item["clientId"] for item in endpoint.listed()] == ["a"]  # the endpoint has not noticed
        with pytest.raises(ConnectionClosed):
            ann.get()
        assert endpoint.call("POST", path, b"x", endpoint.admin())[0] == 410
        assert endpoint.listed() == []
