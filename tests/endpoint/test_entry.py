"""Who gets in, and what the REST routes tell whom."""

import time

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


def refused(url, **options):
    with pytest.raises(InvalidStatus) as caught, connect(url, **options):
        pass
    response = caught.value.response
    assert response.headers["Content-Type"].startswith("application/json")
    return response.status_code, response.body


def test_a_token_is_taken_from_header_query_or_subprotocol(endpoint):
    token = endpoint.token()
    for url, options in (
        (endpoint.url, {"additional_headers": {"Authorization": f"Bearer {token}"}}),
        (f"{endpoint.url}?token={token}", {}),
        (endpoint.url, {"subprotocols": ["bearer", token]}),
    ):
        with connect(url, **options) as connection:
            assert connection.subprotocol == ("bearer" if "subprotocols" in options else None)


@pytest.mark.parametrize(
    "claims",
    [{"exp": 1}, {"aud": "other"}, {"aud": None}, {"exp": None}, {"sub": None}, {"roles": "member"}, {"tenant": 7}],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_401(endpoint, claims):
    status, body = refused(f"{endpoint.url}?token={endpoint.token(**claims)}")
    assert status == 401 and b'"code":401' in body and b'"message"' in body


def test_an_absent_or_forged_token_is_401(endpoint):
    assert refused(endpoint.url)[0] == 401
    assert refused(f"{endpoint.url}?token=abc")[0] == 401
    header, payload, signature = endpoint.token().split(".")
    assert refused(f"{endpoint.url}?token={header}.{payload}.{signature[::-1]}")[0] == 401


def test_a_token_without_the_role_member_is_403(endpoint):
    for roles in ([], ["admin"], None):
        status, body = refused(f"{endpoint.url}?token={endpoint.token(roles=roles)}")
        assert status == 403 and b'"code":403' in body


def test_the_list_of_connections_is_for_admins_only(endpoint):
    assert endpoint.call("GET", "/connections")[0] == 401
    assert endpoint.call("GET", "/connections", token="abc")[0] == 401
    assert endpoint.call("GET", "/connections", token=endpoint.token())[0] == 403


def test_the_list_shows_who_is_connected_where_and_since_when(endpoint):
    before = time.time_ns() // 1_000_000
    with endpoint.client("ann", "k3-7-0", tenant="t9") as ann:
        ann.ask("joinRoom", "a", "red")
        ann.ask("joinRoom", "b", "blue")
        (item,) = endpoint.listed()
        assert item["clientId"] == "k3-7-0" and item["userId"] == "ann" and item["tenant"] == "t9"
        assert item["rooms"] == ["blue", "red"] and item["connectionId"]
        assert before <= item["connectedAt"] <= time.time_ns() // 1_000_000
        ann.ask("leaveRoom", "c", "red")
        assert endpoint.listed()[0]["rooms"] == ["blue"]
    endpoint.eventually_listed(set())


def test_a_request_that_is_no_upgrade_is_told_so(endpoint):
    assert endpoint.call("GET", "/ws")[0] == 426


def test_health_is_ok(endpoint):
    assert endpoint.call("GET", "/health") == (200, {"status": "ok"})
