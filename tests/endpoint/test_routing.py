"""Which route a frame takes, and what is said where there is none."""

import contextlib
import doctest
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.endpoint import routing
from harness.endpoint.routing import Selection
from harness.errors import UsageError

pytestmark = pytest.mark.slow(reason="starts a server for each limit of the gateway")


def test_the_examples_in_the_module_hold():
    assert doctest.testmod(routing).failed == 0


@pytest.mark.parametrize(
    ("expression", "body", "key"),
    [
        ("$request.body.action", {"action": "x"}, "x"),
        ("${request.body.action}", {"action": "x"}, "x"),
        ("$request.body.a.b", {"a": {"b": "x"}}, "x"),
        ("$request.body.a.b", {"a": "x"}, ""),
        ("$request.body.a", {"a": None}, ""),
        ("$request.body.a", {"a": ["item1", "item2"]}, "[item1, item2]"),
        ("$request.body.a", {"a": {"b": 1}}, '{"b": 1}'),
        ("$request.body.a", {"a": True}, "true"),
        ("${request.body.a}/v${request.body.b}!", {"a": "x", "b": 2}, "x/v2!"),
        (r"\$default/${request.body.a}", {"a": "x"}, "$default/x"),
        ("$request.body.a", {"a": "$request.body.b", "b": "no"}, "$request.body.b"),
    ],
)
def test_an_expression_is_evaluated_as_the_gateway_does(expression, body, key):
    assert Selection(expression).key(body) == key


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_a_usage_error(text):
    with contextlib.suppress(UsageError):
        assert isinstance(Selection(text).key({"action": "x"}), str)


def frame(**more):
    return json.dumps({"version": "1.0", "action": "ping", "requestId": "g", "timestamp": 1} | more)


def test_several_variables_choose_among_the_given_routes(serving):
    options = ("--route-selection", "${request.body.action}/${request.body.version}", "--route", "ping/1.0=ping")
    with serving(*options) as endpoint, endpoint.client() as ann:
        ann.raw(frame())
        assert ann.get()["action"] == "pong"
        ann.raw(frame(action="joinRoom", roomId="r1"))
        assert ann.get()["payload"]["message"] == "unknown action"


@pytest.mark.parametrize("text", [frame(action="dance"), "no json", "[1]", '{"action":7}'])
def test_without_a_default_route_the_gateway_itself_says_forbidden(serving, text):
    with serving("--no-default-route") as endpoint, endpoint.client(key="k") as ann:
        (item,) = endpoint.listed()
        ann.raw(text)
        said = ann.connection.recv(10)
        told = json.loads(said)
        assert told == {"message": "Forbidden", "connectionId": item["connectionId"], "requestId": told["requestId"]}
        assert said.startswith('{"message": "Forbidden", "connectionId":"')
        assert ann.ask("ping", "p")["action"] == "pong"
