"""What REST calls spend: tokens of the buckets that sockets and pushes draw from."""

import time

import pytest

from tests.endpoint.test_rest import ask, post

pytestmark = pytest.mark.slow(reason="waits for a quota's window to pass")

NO_REFILL = "0.001"


def test_a_tenant_s_calls_and_messages_share_one_bucket_and_another_tenant_has_its_own(serving):
    with serving("--tenant-burst", "4", "--tenant-per-s", NO_REFILL) as endpoint:
        with endpoint.client() as ann:
            assert ann.ask("ping", "p")["action"] == "pong"
            assert post(endpoint, "r")[0] == 201
            assert ask(endpoint, "GET", "/rooms")[0] == 200
            assert ann.ask("ping", "q")["action"] == "pong"
            status, headers, body = post(endpoint, "r")
            assert (status, body["code"]) == (429, 429) and int(headers["Retry-After"]) > 100
            assert ann.ask("ping", "r")["payload"]["code"] == 429
        other = endpoint.token("eve", tenant="t2")
        assert [ask(endpoint, "GET", "/rooms", token=other)[0] for _ in range(5)] == [200, 200, 200, 200, 429]
        assert endpoint.metrics()['squall_throttled_total{bucket="tenant"}'] == 3


def test_pushes_draw_from_the_endpoint_s_bucket_as_everything_else_does(serving):
    with serving("--endpoint-burst", "6", "--endpoint-per-s", NO_REFILL) as endpoint, endpoint.client(key="a") as ann:
        (item,) = endpoint.listed()
        path = f"/@connections/{item['connectionId']}"
        assert [endpoint.call("POST", path, b"x", endpoint.admin())[0] for _ in range(4)] == [200] * 4
        assert [ann.connection.recv(10) for _ in range(4)] == ["x"] * 4
        assert ann.ask("ping", "p")["action"] == "pong"
        status, body = endpoint.call("POST", path, b"x", endpoint.admin())
        assert (status, body["code"]) == (429, 429)
        assert ann.ask("ping", "q")["payload"]["code"] == 429
        assert post(endpoint, "r")[0] == 429


def test_an_operator_s_calls_spend_nothing_of_its_tenant_s(serving):
    with serving("--tenant-burst", "1", "--tenant-per-s", NO_REFILL) as endpoint:
        for _ in range(3):
            endpoint.listed()
        assert ask(endpoint, "GET", "/rooms")[0] == 200
        assert ask(endpoint, "GET", "/rooms")[0] == 429


def test_calls_without_a_right_spend_nothing(serving):
    with serving("--tenant-burst", "1", "--tenant-per-s", NO_REFILL) as endpoint:
        for token in (endpoint.token(exp=1), endpoint.token(roles=[]), "forged"):
            assert ask(endpoint, "GET", "/rooms", token=token)[0] in (401, 403)
        assert ask(endpoint, "GET", "/rooms")[0] == 200


def test_who_waits_as_long_as_it_was_told_is_let_in(serving):
    with serving("--tenant-burst", "1", "--tenant-per-s", "2") as endpoint:
        assert ask(endpoint, "GET", "/rooms")[0] == 200
        status, headers, _ = ask(endpoint, "GET", "/rooms")
        assert status == 429
        time.sleep(int(headers["Retry-After"]))
        assert ask(endpoint, "GET", "/rooms")[0] == 200


def test_health_readiness_and_metrics_are_never_throttled(serving):
    with serving("--endpoint-burst", "1", "--endpoint-per-s", NO_REFILL) as endpoint:
        for path in ("/health", "/ready"):
            assert [endpoint.call("GET", path)[0] for _ in range(3)] == [200] * 3
        assert endpoint.metrics() and endpoint.metrics()
