"""The REST side of a run, as the plan describes it: where it is, and what is trusted and hidden there."""

from types import SimpleNamespace

import pytest

from harness.auth import Access, Denied
from harness.client.patterns.rest_endpoint import Credentials, make_rest_endpoint
from harness.plan import build_plan
from harness.record.row import Outcome
from harness.transport.clock import FakeClock
from harness.transport.connection_options import find_addresses, make_options
from harness.transport.http_client import HttpClient
from harness.units import SECOND
from harness.wire import make_dialect
from harness.wire.exchange import Request


def make(url, **endpoint):
    plan = build_plan({"endpoint": {"url": url, **endpoint}}).endpoint
    access = Access(plan, "n", 10, http=HttpClient)
    options = make_options(plan, access.port, find_addresses(plan, access.port), access.redaction)
    return make_rest_endpoint(plan, make_dialect(plan), None, access, options, ["room-0"]), access


def test_what_the_environment_gave_to_the_url_is_concealed_in_what_comes_back(monkeypatch):
    monkeypatch.setenv("API_KEY", "key-4711")
    origin, access = make("ws://127.0.0.1:1/ws", rest={"url": "http://127.0.0.1:2/${API_KEY}"})
    assert origin.mapping.post("r", b"{}").target == "/key-4711/rooms/r/messages"
    assert access.conceal("no route /key-4711/rooms/r/messages") == "no route /***/rooms/r/messages"


@pytest.mark.parametrize(
    ("url", "server_name"),
    [
        ("http://127.0.0.1:2", None),
        ("https://127.0.0.1:2", "squall.test"),
        ("https://localhost:2", "localhost"),
        ("", "squall.test"),
    ],
)
def test_each_origin_is_asked_for_its_own_name_and_only_where_it_speaks_tls(url, server_name):
    origin, _ = make("wss://127.0.0.1:1/ws", tls={"server_name": "squall.test"}, rest={"url": url} if url else {})
    assert (origin.route.server_name if origin.route.tls is not None else None) == server_name


def test_credentials_end_with_the_token_in_them():
    clock, tokens = FakeClock(0), iter("abcdef")
    life_s = {"a": 15.0, "b": 0.0, "c": 3600.0, "d": 3600.0}
    access = SimpleNamespace(last="", renew=lambda *_: False, command_life_s=lambda *_: life_s[access.last])

    def command(session, conn):
        access.last = next(tokens)
        return {"Authorization": access.last}

    access.command = command
    credentials = Credentials(SimpleNamespace(sockets=SimpleNamespace(clock=clock), access=access), 0, 0)
    seen = []
    for at_s in (0, 14, 16, 16, 70, 77):
        clock.advance(at_s * SECOND - clock.now())
        seen += [value for _, value in credentials.sign(Request("GET", "/")).headers]
    assert seen == ["a", "a", "b", "c", "c", "d"]


def test_another_login_happens_beside_the_requests_once_at_a_time_and_is_left_alone_after_a_refusal():
    clock, logins = FakeClock(0), []
    access = SimpleNamespace(token="old", life_s=10.0, command_life_s=lambda *_: access.life_s)
    access.command = lambda session, conn: {"Authorization": access.token}
    access.renew = lambda session, conn, then: access.life_s == 0 and (logins.append(then) or True)
    credentials = Credentials(SimpleNamespace(sockets=SimpleNamespace(clock=clock), access=access), 0, 0)

    def sign_at(at_s):
        clock.advance(round(at_s * SECOND) - clock.now())
        return credentials.sign(Request("GET", "/")).headers[0][1]

    assert sign_at(0) == "old"
    access.life_s = 0.0
    assert [sign_at(at_s) for at_s in (11, 11.1, 11.2)] == ["old"] * 3
    assert len(logins) == 1
    logins[0](Denied(Outcome.REJECTED, 503, "login: HTTP 503"))
    assert [sign_at(at_s) for at_s in (11.3, 12.1)] == ["old"] * 2
    assert len(logins) == 1
    assert sign_at(12.3) == "old"
    assert len(logins) == 2
    access.token = "new"  # which is as good as over when it comes
    logins[1]("new")
    assert [sign_at(at_s) for at_s in (12.4, 13.2)] == ["new"] * 2
    assert len(logins) == 2
    sign_at(13.4)
    assert len(logins) == 3
