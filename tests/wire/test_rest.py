"""The REST mapping: requests from intents, and what answers say; a table of answers, and Hypothesis for the rest."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import PlanError
from harness.plan import build_plan
from harness.record.row import SignalKind
from harness.wire import Message, make_dialect
from harness.wire.exchange import Answer
from harness.wire.rest_mapping import Page, Polled, Posting, RestMapping

MESSAGE = Message(id="n-3-7", seq=7, room="r", text='say "hi"', timestamp_ms=5)


def make(rest=None, base="", **endpoint):
    plan = build_plan({"endpoint": {"url": "ws://127.0.0.1:1/", "rest": rest or {}, **endpoint}})
    dialect = make_dialect(plan.endpoint)
    return RestMapping(plan.endpoint, dialect, base), dialect


def answer(status, body, *headers):
    return Answer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def frame(seq, id="n-1-1"):
    return {"version": "1.0", "action": "message", "requestId": id, "roomId": "r", "seq": seq,
            "payload": {"text": "x", "sender": "s"}}  # fmt: skip


def test_a_post_goes_to_its_room_with_the_references_body():
    rest, dialect = make()
    request = rest.post("a b/c", Posting(dialect, rest).publish(MESSAGE))
    assert (request.method, request.target) == ("POST", "/rooms/a%20b%2Fc/messages")
    assert ("Content-Type", "application/json") in request.headers
    assert json.loads(request.body) == {
        "version": "1.0", "requestId": "n-3-7", "payload": {"text": 'say "hi"'}, "timestamp": 5
    }  # fmt: skip


def test_the_references_body_is_what_the_contract_says_and_the_document_says_the_same():
    contracts = Path(__file__).parents[2] / "contracts"
    schema = json.loads((contracts / "reference" / "rest" / "postMessage.json").read_text())
    document = json.loads((contracts / "openapi.json").read_text())["components"]["schemas"]
    rest, _ = make()
    body = json.loads(rest.body(MESSAGE))
    assert jsonschema_rs.validator_for(schema).is_valid(body)
    told = json.loads(json.dumps(document["NewMessage"]))
    told["properties"]["requestId"] = {
        key: value for key, value in document["RequestId"].items() if key != "description"
    }
    assert {key: schema[key] for key in told} == told


def test_a_poll_says_where_it_stands_how_much_it_takes_and_how_long_it_waits():
    rest, _ = make(base="/v1")
    assert rest.poll("r", "12", 50, 20.0).target == "/v1/rooms/r/messages?after=12&limit=50&wait=20"
    assert rest.poll("r", "a&b", 1, 0.5).target.endswith("?after=a%26b&limit=1&wait=0.5")


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (201, {"requestId": "n-3-7", "seq": 1}, SignalKind.ACK, 0),
        (200, {"requestId": "n-3-7"}, SignalKind.ACK, 0),
        (201, {"requestId": "n-3-8"}, SignalKind.GARBLED, 201),
        (201, {}, SignalKind.GARBLED, 201),
        (201, b"", SignalKind.GARBLED, 201),
        (400, {"message": "bad"}, SignalKind.ERROR, 400),
        (401, b"", SignalKind.ERROR, 401),
        (403, {"message": "Forbidden"}, SignalKind.ERROR, 403),
        (413, b"<html>", SignalKind.ERROR, 413),
        (429, {"message": "slow down"}, SignalKind.ERROR, 429),
        (302, b"", SignalKind.ERROR, 302),
    ],
)
def test_an_answer_to_a_post_is_judged_by_its_status_and_its_id(status, body, kind, code):
    rest, _ = make()
    signal = rest.posted("n-3-7", answer(status, body))
    assert (signal.kind, signal.code) == (kind, code)


def test_without_an_id_in_answers_the_status_is_enough():
    rest, _ = make({"confirms": ""})
    assert rest.posted("n-3-7", answer(202, b"")).kind is SignalKind.ACK


def test_a_refusal_is_quoted():
    rest, _ = make()
    assert rest.posted("n-3-7", answer(403, {"message": "not yours"})).reason == "not yours"
    assert rest.posted("n-3-7", answer(502, b"<h1>Bad Gateway</h1>")).reason == "<h1>Bad Gateway</h1>"


def test_a_page_brings_its_messages_and_asks_next_after_the_last_of_them():
    rest, _ = make()
    page = rest.polled(answer(200, {"messages": [frame(4, "n-1-1"), frame(5, "n-2-9")], "last": 90}), "3")
    assert [signal.id for signal, _ in page.signals] == ["n-1-1", "n-2-9"]
    assert (page.messages, page.after) == (2, "5")


def test_an_empty_first_page_tells_where_the_room_stands():
    rest, _ = make()
    assert rest.polled(answer(200, {"messages": [], "last": 17}), "") == Page((), 0, "17")


def test_an_empty_page_that_names_numbers_it_did_not_show_skips_nothing():
    rest, _ = make()
    assert rest.polled(answer(200, {"messages": [], "last": 18}), "17").after == "17"


def test_a_room_that_began_anew_is_followed():
    rest, _ = make()
    assert rest.polled(answer(200, {"messages": [], "last": 2}), "17").after == "2"


def test_messages_without_numbers_leave_it_to_the_answer():
    rest, _ = make({"number": "", "last": "page.next"})
    found = rest.polled(answer(200, {"messages": [{"action": "message"}], "page": {"next": "tok-9"}}), "tok-8")
    assert (found.messages, found.after) == (1, "tok-9")


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"[]", b'{"messages": 3}', b'{"last": 3}', b'{"messages": []}', b'{"messages": [{}]}',
     b'{"messages": [], "last": {"a": 1}}', b'{"messages": [1, 2]}', b"\xff", b'{"messages": null, "last": 1}'],
)  # fmt: skip
def test_an_answer_that_cannot_be_read_is_garbled(body):
    rest, _ = make()
    assert rest.polled(answer(200, body), "").kind is SignalKind.GARBLED


@pytest.mark.parametrize("status", [204, 301, 400, 401, 403, 404, 429, 500, 503])
def test_a_poll_that_is_no_success_is_an_error_with_its_status(status):
    rest, _ = make()
    signal = rest.polled(answer(status, {"message": "no"}), "3")
    assert (signal.kind, signal.code) == (SignalKind.ERROR, status)


@given(st.binary(max_size=200), st.integers(100, 599), st.sampled_from(["", "5", "token"]))
def test_nothing_that_an_endpoint_answers_raises(body, status, after):
    rest, _ = make()
    assert rest.posted("n-1-1", Answer(status, (), body)) is not None
    assert rest.polled(Answer(status, (), body), after) is not None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                        st.sampled_from(["messages", "last", "seq", "requestId", "message", "action"]), inner,
                        max_size=4), max_leaves=12))  # fmt: skip
def test_no_json_that_an_endpoint_answers_raises(body):
    rest, _ = make()
    text = json.dumps(body).encode()
    assert rest.posted("n-1-1", Answer(200, (), text)) is not None
    assert rest.polled(Answer(200, (), text), "4") is not None


def test_nesting_without_end_is_garbled():
    rest, _ = make()
    deep = b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert rest.polled(Answer(200, (), deep), "4").kind is SignalKind.GARBLED


def test_a_foreign_interface_is_described_by_its_targets_paths_and_template():
    json_dialect = {
        "publish": {"say": "{text}", "ref": "{id}"},
        "delivery": {"match": {"kind": "said"}, "id": "ref", "sender": "by"},
        "acks": "none",
    }
    rest, dialect = make(
        {"publish": "/c/{room}", "poll": "/c/{room}/log?since={after}", "messages": "data.items", "number": "n",
         "last": "data.top", "confirms": "data.ref"},
        dialect="json", json=json_dialect,
    )  # fmt: skip
    speaks = Polled(dialect, rest)
    assert json.loads(speaks.publish(MESSAGE)) == {"say": 'say "hi"', "ref": "n-3-7"}
    assert (speaks.acks, speaks.joins, speaks.leaves) == ("frame", True, True)
    assert rest.poll("r", "3", 1, 0).target == "/c/r/log?since=3"
    assert rest.posted("n-3-7", answer(200, {"data": {"ref": "n-3-7"}})).kind is SignalKind.ACK
    page = rest.polled(answer(200, {"data": {"items": [{"kind": "said", "ref": "n-1-2", "by": "z", "n": 8}]}}), "3")
    assert (page.signals[0][0].id, page.after) == ("n-1-2", "8")


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ({"url": "ws://h/"}, "endpoint.rest.url"),
        ({"url": "http://u:secret@h/?token=abc"}, "endpoint.rest.url"),
        ({"publish": "rooms"}, "endpoint.rest.publish"),
        ({"poll": "/rooms/{room}"}, "{after}"),
        ({"body": {"a": "{nope}"}}, "endpoint.rest.body.a"),
        ({"last": "", "number": ""}, "last or number"),
    ],
)
def test_a_table_that_cannot_work_is_an_error_that_names_the_key(rest, says):
    with pytest.raises(PlanError, match=says.replace("{", r"\{")) as error:
        make(rest)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("last", ["9" * 5000, "\u0663" * 5000])
def test_a_number_without_end_is_asked_after_and_does_not_break_the_reader(last):
    rest, _ = make()
    found = rest.polled(answer(200, {"messages": [], "last": last}), "7")
    assert isinstance(found, Page)
    assert rest.polled(answer(200, {"messages": [], "last": 9}), last).after in (last, "9")
