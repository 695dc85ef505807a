"""What a dialect says that a frame was taken for: the rule, its fields, and each path that found nothing."""

import json
from typing import Any

import msgspec
import pytest

from harness.plan import Endpoint, JsonDialect
from harness.record.row import SignalKind
from harness.wire import Dialect, make_dialect
from harness.wire.ids import SEQ_LIMIT, find_ids
from harness.wire.taken import Miss, Taken, describe, where_ids_are

CHAT: dict[str, Any] = {
    "publish": {"type": "say", "ref": "{id}"},
    "ack": {"match": {"type": "ok"}, "id": "ref"},
    "error": [
        {"match": {"type": "err", "code": "slow"}, "id": "ref", "code": "code"},
        {"match": {"type": "err"}, "id": "ref", "reason": "why"},
    ],
    "delivery": {"match": {"type": "said"}, "id": "data.ref", "room": "data.channel"},
}


def template(described: dict[str, Any]) -> Dialect:
    return make_dialect(Endpoint(dialect="json", json=msgspec.convert(described, JsonDialect)))


def taken(frame: Any, dialect: Dialect | None = None) -> Taken:
    (found,) = (dialect or template(CHAT)).explain(json.dumps(frame).encode())
    return found


def test_a_frame_that_fits_shows_its_rule_and_its_fields() -> None:
    found = taken({"type": "said", "data": {"ref": "k3-7-1", "channel": "blue"}})
    assert (found.kind, found.rule, found.missing) == (SignalKind.DELIVERY, "delivery", ())
    assert found.fields == {"id": "k3-7-1", "room": "blue"}


@pytest.mark.parametrize(
    ("value", "shown"), [(None, None), ({"deep": 1}, '{"deep":1}'), ([], "[]"), (True, "true")], ids=str
)
def test_a_path_that_finds_no_id_is_named_with_what_stands_there(value: Any, shown: str | None) -> None:
    found = taken({"type": "said", "data": {"ref": value, "channel": "blue"}})
    assert found.missing == (Miss("endpoint.json.delivery.id", "data.ref", found=shown),)


def test_several_errors_are_told_apart_by_their_place() -> None:
    assert taken({"type": "err", "code": "slow", "ref": "1"}).rule == "error[0]"
    other = taken({"type": "err", "code": "full"})
    assert other.rule == "error[1]"
    assert [miss.key for miss in other.missing] == ["endpoint.json.error[1].id", "endpoint.json.error[1].reason"]


def test_a_frame_that_fits_nothing_names_the_nearest_rules_and_their_conditions() -> None:
    found = taken({"type": "err2", "code": "slow"})
    assert (found.kind, found.rule) == (SignalKind.OTHER, "")
    assert found.near[0].rule == "error[0]"
    assert found.near[0].misses == (Miss("endpoint.json.error[0].match", "type", '"err"', '"err2"'),)
    assert {near.rule for near in found.near} == {"error[0]", "error[1]", "ack", "delivery"}


@pytest.mark.parametrize("frame", [b"", b"hello", b"\xff", b'{"a":'])
def test_what_is_not_json_says_why(frame: bytes) -> None:
    (found,) = template(CHAT).explain(frame)
    assert found.kind is SignalKind.GARBLED and found.why


@pytest.mark.parametrize("frame", [{}, [], "text", 1, None, {"type": ["said"]}, {"type": "said", "data": [1]}], ids=str)
def test_it_takes_a_frame_for_the_same_as_decoding_does(frame: Any) -> None:
    dialect, data = template(CHAT), json.dumps(frame).encode()
    assert [each.kind for each in dialect.explain(data)] == [each.kind for each in dialect.decode(data)]


ENVELOPES: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"action": "ack", "requestId": "k3-7-1", "roomId": "blue"}, "ack", []),
    ({"action": "message", "requestId": "k3-7-1"}, "message", ["roomId"]),
    ({"action": "message"}, "message", ["requestId", "roomId"]),
    ({"action": "pong"}, "pong", ["requestId"]),
    ({"action": "error", "payload": {"code": 400, "message": "no"}}, "error", ["requestId"]),
    ({"message": "Forbidden"}, "error", ["requestId", "payload.code"]),
]


@pytest.mark.parametrize(("frame", "rule", "missing"), ENVELOPES)
def test_an_envelope_shows_its_action_and_what_it_lacks(frame: dict[str, Any], rule: str, missing: list[str]) -> None:
    found = taken(frame, make_dialect(Endpoint()))
    assert (found.rule, [miss.path for miss in found.missing]) == (rule, missing)


def test_an_envelope_of_another_action_names_the_ones_that_are_known() -> None:
    found = taken({"action": "presence"}, make_dialect(Endpoint()))
    assert found.kind is SignalKind.OTHER
    assert found.near[0].misses[0].found == '"presence"'


def test_an_echo_shows_its_id() -> None:
    echo = make_dialect(Endpoint(dialect="echo"))
    assert echo.explain(b"k3-7-1 hello")[0].fields == {"id": "k3-7-1"}
    assert echo.explain(b"hello")[0].kind is SignalKind.GARBLED


def test_a_description_says_where_an_id_of_the_run_stands() -> None:
    frame = {"type": "said", "data": {"ref": 17, "meta": [{"client": "k3-7-1"}]}}
    said = describe(taken(frame), json.dumps(frame).encode(), "k3")
    assert '"17"' in said and '"data.meta.0.client"' in said and "endpoint.json.delivery.room" in said
    right = {"type": "said", "data": {"ref": "k3-7-1", "channel": "blue"}}
    assert "of this run" not in describe(taken(right), json.dumps(right).encode(), "k3")


def test_every_description_is_one_line() -> None:
    for frame in ({"type": "said"}, {"type": "err2\n"}, {}, "a\nb", {"type": "said", "data": {"ref": "x\ny"}}):
        assert "\n" not in describe(taken(frame), json.dumps(frame).encode(), "k3")


def test_ids_are_found_anywhere_in_a_frame() -> None:
    assert where_ids_are(b'{"a": ["k3-7-1", {"b": "x k3-7-2 y"}], "c": "k3-7"}', "k3") == {
        "a.0": "k3-7-1",
        "a.1.b": "x k3-7-2 y",
    }
    assert where_ids_are(b"k3-7-1", "k3") == {}


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        (b"", []),
        (b"k3-7", []),
        (b"k3-7-0", []),
        (b"k3-7-1", [(7, 1)]),
        (b"k3-7-1 k3-7-1 k3-0-2", [(7, 1), (0, 2)]),
        (b"k3-7-%d" % (SEQ_LIMIT - 1), [(7, SEQ_LIMIT - 1)]),
        (b"k3-7-%d" % SEQ_LIMIT, []),
        (b"k3-7-" + b"9" * 5000, []),
        (b"k3-" + b"9" * 5000 + b"-1", []),
    ],
)
def test_an_id_of_the_run_is_one_that_a_session_may_have_sent(data: bytes, ids: list[tuple[int, int]]) -> None:
    assert find_ids(data, "k3") == ids


def test_only_so_many_ids_are_read_from_one_frame() -> None:
    assert find_ids(b" ".join(b"k3-0-%d" % n for n in range(1, 200)), "k3", most=64) == [(0, n) for n in range(1, 65)]
