"""The REST side of a run, as the plan describes it: where it is, and what is trusted and hidden there."""

import pytest

from harness.access import Access
from harness.patterns.origin import make_origin
from harness.plan import build_plan
from harness.reach import find_addresses, make_options
from harness.wire import make_dialect


def make(url, **endpoint):
    plan = build_plan({"endpoint": {"url": url, **endpoint}}).endpoint
    access = Access(plan, "n", 10)
    options = make_options(plan, access.port, find_addresses(plan, access.port), access.hiding)
    return make_origin(plan, make_dialect(plan), None, access, options, ["room-0"]), access


def test_what_the_environment_gave_to_the_url_is_concealed_in_what_comes_back(monkeypatch):
    monkeypatch.setenv("API_KEY", "key-4711")
    origin, access = make("ws://127.0.0.1:1/ws", rest={"url": "http://127.0.0.1:2/${API_KEY}"})
    assert origin.rest.post("r", b"{}").target == "/key-4711/rooms/r/messages"
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
