"""What is refused before a run because the protocol, the load and the scenarios do not go together."""

from types import SimpleNamespace

import pytest

from harness.engine.plan_checks import check_plan, is_silent, make_checked_dialect
from harness.engine.scenario_files import SHIPPED
from harness.errors import PlanError, UsageError
from harness.plan import build_plan
from harness.wire import Message

ACK = {"match": {"type": "ok"}, "id": "ref"}
DELIVERY = {"match": {"type": "said"}, "id": "ref", "room": "room"}
SAY = {"type": "say", "ref": "{id}", "room": "{room}"}


def plan(json=None, load=None, **endpoint):
    described = {} if json is None else {"dialect": "json", "json": {"delivery": DELIVERY, **json}}
    return build_plan({"endpoint": {"url": "ws://127.0.0.1:9/", **described, **endpoint}, "load": load or {}})


def scenarios(*users):
    """As they would be loaded: shipped ones that publish by WebSocket, unless told otherwise."""
    made = [SimpleNamespace(**{"__module__": f"{SHIPPED}.chat", "is_silent": False, "pattern": "websocket", **each})
            for each in users or ({},)]  # fmt: skip
    return SimpleNamespace(users=tuple(made), patterns=tuple(each.pattern for each in made))


OWN = {"__module__": "squall_scenario_mine"}
IDLE = {"is_silent": True}
NO_ROOMS = {"room_sizes": {"sizes": "none"}}


# -- numbers that are none, rates of 0 ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("key", ["rate_per_s", "duration_s", "settle_s"])
def test_what_is_no_number_is_refused(key, number):
    with pytest.raises(PlanError, match=rf"^load\.{key}: "):
        build_plan({"load": {key: number}})


def test_a_number_that_is_none_is_named_wherever_it_stands():
    with pytest.raises(PlanError, match=r"^chaos\[1\]\.at_s: "):
        build_plan({"chaos": [{}, {"at_s": float("nan")}]})
    with pytest.raises(PlanError, match=r"^load\.rate_per_s: "):
        build_plan({"load": {"rate_per_s": -1.0}})


SILENT = [
    {"rate_per_s": 0.0},
    {"rate_per_s": 0.0, "shape": {"shape": "poisson"}},
    {"rate_per_s": 0.0, "shape": {"shape": "steps", "then_per_s": [0.0, 0.0]}},
]
SOMETIMES = [
    {"rate_per_s": 1e-9},
    {"rate_per_s": 0.0, "shape": {"shape": "steps", "then_per_s": [0.0, 1.0]}},
    {"rate_per_s": 0.0, "shape": {"shape": "ramp", "to_per_s": 1.0}},
    {"rate_per_s": 0.0, "shape": {"shape": "spike", "peak_per_s": 1.0, "after_s": 1.0, "hold_s": 1.0}},
    {"rate_per_s": 0.0, "shape": {"shape": "think", "think_time_s": 1.0}},
    {"rate_per_s": 0.0, "shape": {"shape": "replay", "file": "times.csv"}},
]


@pytest.mark.parametrize("load", SILENT)
def test_a_rate_of_0_is_refused_where_deliveries_are_expected(load):
    for each in (
        plan(load=load),
        plan({"publish": SAY, "ack": ACK}, load),
        plan({"publish": SAY, "acks": "none"}, load),
    ):
        with pytest.raises(PlanError, match=r"^load\.rate_per_s: "):
            check_plan(each, scenarios())


@pytest.mark.parametrize("load", SOMETIMES)
def test_a_rate_that_is_not_always_0_is_sent_at(load):
    check_plan(plan(load=load), scenarios())
    assert not is_silent(plan(load=load), scenarios())


@pytest.mark.parametrize("load", SILENT)
def test_to_say_nothing_is_legal_where_it_is_meant(load):
    for each, played in (
        (plan({"publish": {"nothing": True}, "acks": "none"}, load | NO_ROOMS), scenarios()),
        (plan({}, load), scenarios()),
        (plan(load=load), scenarios(IDLE)),
    ):
        check_plan(each, played)
        assert is_silent(each, played)


def test_a_run_is_silent_only_if_all_its_scenarios_are():
    assert is_silent(plan(), scenarios(IDLE, IDLE))
    assert not is_silent(plan(), scenarios(IDLE, {}))
    assert not is_silent(plan(), scenarios())


# -- {id} where an answer names it ----------------------------------------------------------------------------------


def named(key, json, *users, load=None, **endpoint):
    """The key that is refused."""
    with pytest.raises(PlanError) as refused:
        check_plan(plan(json, load, **endpoint), scenarios(*users))
    return str(refused.value).partition(":")[0] == key


@pytest.mark.parametrize("acks", [{"ack": ACK}, {"acks": "delivery"}, {"acks": "none"}])
def test_a_message_without_an_id_is_refused_where_it_must_be_known_again(acks):
    for template in ({"text": "{text}"}, {"text": "{{id}}"}, "{text}", [], {"room": "{room}", "by": "{session}"}):
        assert named("endpoint.json.publish", {"publish": template, **acks})


@pytest.mark.parametrize("template", [SAY, {"a": [{"b": "x{id}"}]}, "{id}", ["{seq}"], {"{id}": 1}, {"n": "{seq}"}])
@pytest.mark.parametrize("acks", [{"ack": ACK}, {"acks": "delivery"}, {"acks": "none"}])
def test_a_message_bears_its_id_anywhere(template, acks):
    check_plan(plan({"publish": template, **acks}), scenarios())


def test_a_message_needs_no_id_where_nothing_answers_and_nobody_hears_it():
    check_plan(plan({"publish": {"reading": "{text}"}, "acks": "none"}, NO_ROOMS), scenarios())


@pytest.mark.parametrize("name", ["join", "leave"])
def test_a_request_whose_ack_names_it_bears_an_id(name):
    json = {"publish": SAY, "ack": ACK, name: {"type": name, "room": "{room}"}}
    assert named(f"endpoint.json.{name}", json)
    check_plan(plan(json | {name: {"type": name, "ref": "{id}"}}), scenarios())


def test_a_ping_whose_pong_names_it_bears_an_id():
    json = {"publish": SAY, "ack": ACK, "pong": {"match": {"type": "pong"}, "id": "ref"}, "ping": {"type": "ping"}}
    assert named("endpoint.json.ping", json)
    check_plan(plan(json | {"ping": {"ref": "{id}"}}), scenarios())


@pytest.mark.parametrize("pattern", ["hybrid", "polling"])
def test_what_is_posted_is_named_where_it_is_heard(pattern):
    posting = {"pattern": pattern}
    json = {"publish": {"text": "{text}"}, "ack": ACK}
    assert named("endpoint.json.publish", json, posting)
    assert named("endpoint.rest.body", json, posting, rest={"body": {"text": "{text}"}})
    check_plan(plan(json, rest={"body": {"ref": "{id}"}}), scenarios(posting))
    check_plan(plan({}), scenarios(posting))  # by the reference endpoint's body


def test_no_publish_is_refused_where_the_scenario_publishes():
    assert named("endpoint.json.publish", {})
    assert named("endpoint.json.publish", {}, IDLE, {})
    check_plan(plan({}), scenarios(IDLE))


@pytest.mark.parametrize("publish", [{}, {"publish": {"op": "noop"}}])
def test_a_scenario_of_the_users_may_never_publish_and_is_refused_when_it_does(publish):
    feed = plan({**publish, "ack": ACK})
    check_plan(feed, scenarios(OWN))
    assert is_silent(feed, scenarios(OWN))
    with pytest.raises(UsageError, match=r"endpoint\.json\.publish"):
        make_checked_dialect(feed).publish(Message(id="k3-0-1"))


# -- a match that takes another's frames ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"type": "m"}, {"type": "m"}),
        ({"type": "*"}, {"type": "m"}),
        ({"ref": "*"}, {"type": "m"}),
        ({"type": "m"}, {"type": "m", "to": 1}),
        ({"type": ["m", "n"]}, {"type": "m"}),
        ({"type": ["m", "n"]}, {"type": ["n", "m"]}),
        ({"type": "*"}, {"type": "*"}),
        ({"n": 1.0}, {"n": 1}),
    ],
)
@pytest.mark.parametrize("names", [("ack", "delivery"), ("error", "delivery"), ("error", "ack"), ("pong", "delivery")])
def test_a_match_that_takes_every_frame_of_a_later_one_is_refused(names, earlier, later):
    json = {
        "publish": SAY,
        "ack": ACK,
        names[0]: {"match": earlier, "id": "ref"},
        names[1]: {"match": later, "id": "ref"},
    }
    assert named(f"endpoint.json.{names[0]}.match", json)


@pytest.mark.parametrize(
    ("ack", "delivery"),
    [
        ({"type": "ok"}, {"type": "m"}),
        ({"type": "m", "ok": True}, {"type": "m"}),
        ({"type": "m"}, {"type": "*"}),
        ({"type": "m"}, {"type": ["m", "n"]}),
        ({"type": "m"}, {}),
        ({"id": "*"}, {"type": "m"}),
        ({"r": "x"}, {"type": "m"}),
        ({"n": True}, {"n": 1}),
    ],
)
def test_matches_that_can_be_told_apart_are_not(ack, delivery):
    check_plan(
        plan({"publish": SAY, "ack": {"match": ack, "id": "r"}, "delivery": {"match": delivery, "id": "r"}}),
        scenarios(),
    )


def test_ack_and_pong_may_share_a_match_because_ids_tell_them_apart():
    json = {"publish": SAY, "ack": ACK, "ping": {"ref": "{id}"}, "pong": ACK}
    check_plan(plan(json), scenarios())
