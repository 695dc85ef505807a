"""Placeholders: one grammar for all texts of a plan, and the refusal of unknown ones wherever they stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import PlanError
from harness.placeholders import check, escape, fill, names
from harness.plan import build_plan

WIRED = {"url": "ws://127.0.0.1:9/x"}
JSON = {
    "publish": {"ref": "{id}"},
    "ack": {"match": {"type": "ok"}, "id": "ref"},
    "delivery": {"match": {"type": "said"}, "id": "ref"},
}


@given(st.text(alphabet="{}$ab", max_size=12))
def test_an_escaped_text_is_filled_with_itself(text):
    assert fill(escape(text), {"a": "1", "b": "2", "ab": "3"}) == text
    assert not list(names(escape(text)))


@given(st.text(alphabet="{}$ab", max_size=12))
def test_a_value_is_never_filled_again(text):
    assert fill("{a}|{b}", {"a": text, "b": "{a}"}) == f"{text}|{{a}}"


@pytest.mark.parametrize("text", ["", "{", "}", "{}", "{{}}", "{ room }", "{a-b}", "${ROOM}", '{"a": {"b": 1}}'])
def test_other_braces_are_no_placeholders(text):
    check(text, (), "here", environment=True)


@pytest.mark.parametrize(
    ("endpoint", "key", "right"),
    [
        ({"url": "ws://127.0.0.1:9/{sesion}"}, "endpoint.url", "{session}"),
        (WIRED | {"query": {"r": "{rooom}"}}, "endpoint.query.r", "{room}"),
        (WIRED | {"headers": {"X-R": "a{Key}"}}, "endpoint.headers.X-R", "{key}"),
        (WIRED | {"cookies": {"c": "{con}"}}, "endpoint.cookies.c", "{conn}"),
        (WIRED | {"headers": {"Authorization": "Bearer {token}"}}, "endpoint.headers.Authorization", "endpoint.auth"),
        (WIRED | {"url": "ws://127.0.0.1:9/{nonsense}"}, "endpoint.url", "{session}"),
        (WIRED | {"auth": {"kind": "jwt", "claims": {"sub": "{sesion}"}}}, "auth.claims.sub", "{session}"),
        (WIRED | {"auth": {"kind": "login", "url": "/in", "body": {"u": "{usr}"}}}, "auth.body.u", "{session}"),
        (WIRED | {"rest": {"publish": "/{rom}"}}, "endpoint.rest.publish", "{room}"),
        (WIRED | {"rest": {"poll": "/{room}?{after}&{limt}"}}, "endpoint.rest.poll", "{limit}"),
    ],
)
def test_an_unknown_placeholder_is_refused_by_its_key_with_the_right_one(endpoint, key, right):
    with pytest.raises(PlanError) as refused:
        build_plan({"endpoint": endpoint})
    assert str(refused.value).startswith(f"{key}: ")
    assert right in str(refused.value)


@pytest.mark.parametrize("observe", [{"url": "/c/{session}"}, {"headers": {"X": "{key}"}}, {"metrics": "/{id}"}])
def test_the_observer_has_no_placeholders(observe):
    with pytest.raises(PlanError, match=r"^observe\."):
        build_plan({"observe": observe})


def test_the_observer_logs_in_from_no_room():
    login = {"kind": "login", "url": "/login/{session}"}
    build_plan({"observe": {"url": "/c", "auth": login}})
    with pytest.raises(PlanError, match=r"observe\.auth"):
        build_plan({"observe": {"url": "/c", "auth": login | {"url": "/login/{room}"}}})


def test_a_room_is_named_by_its_number_alone():
    with pytest.raises(PlanError, match=r"load\.room_name.*\{rom\}"):
        build_plan({"load": {"room_name": "{room}{rom}"}})
    assert build_plan({"load": {"room_name": "{{room}}-{room}"}}).load.name_of(3) == "{room}-3"


# -- one room per connection ---------------------------------------------------------------------------------------


PLACES = [
    {"url": "ws://127.0.0.1:9/{room}"},
    WIRED | {"query": {"r": "{room}"}},
    WIRED | {"headers": {"X-Room": "{room}"}},
    WIRED | {"cookies": {"room": "{room}"}},
    WIRED | {"auth": {"kind": "jwt", "claims": {"room": "{room}"}}},
]


@pytest.mark.parametrize("endpoint", PLACES)
def test_a_connection_is_to_one_room(endpoint):
    plan = {"endpoint": endpoint | {"dialect": "json", "json": JSON}}
    build_plan(plan | {"load": {"room_sizes": {"sizes": "own"}}})
    build_plan(plan | {"load": {"room_sizes": {"sizes": "equal", "per_session": 1}}})
    with pytest.raises(PlanError, match=r"load\.room_sizes\.per_session"):
        build_plan(plan | {"load": {"room_sizes": {"sizes": "equal", "per_session": 2}}})
    with pytest.raises(PlanError, match=r"load\.room_sizes"):
        build_plan(plan | {"load": {"room_sizes": {"sizes": "none"}}})


@pytest.mark.parametrize("name", ["é-{room}", "a\n{room}"])
def test_a_room_in_a_header_has_a_name_that_http_allows(name):
    plan = {"endpoint": PLACES[2], "load": {"room_name": name}}
    with pytest.raises(PlanError, match=r"load\.room_name"):
        build_plan(plan)
    build_plan(plan | {"endpoint": PLACES[0]})


@pytest.mark.parametrize("name", ["a;{room}", "a {room}", 'a"{room}'])
def test_a_room_in_a_cookie_does_not_break_it(name):
    with pytest.raises(PlanError, match=r"load\.room_name"):
        build_plan({"endpoint": PLACES[3], "load": {"room_name": name}})
    build_plan({"endpoint": PLACES[2], "load": {"room_name": name}})
