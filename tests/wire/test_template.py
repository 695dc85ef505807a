"""The json dialect: templates, matches and the plans that it refuses."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import PlanError
from harness.plan import Endpoint, JsonDialect
from harness.record.codes import NO_CODE, code_number
from harness.record.row import SignalKind
from harness.wire import Dialect, Message, make_dialect
from harness.wire.signal import Signal
from harness.wire.texts import ABSENT

MESSAGE = Message("k3-7-12", 12, "blue", 'a "b" {c}', "k3-7", 7, 0, 1700)

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CHAT: dict[str, Any] = {
    "join": {"type": "enter", "channel": "{room}", "ref": "{id}"},
    "publish": {"type": "say", "channel": "{room}", "ref": "{id}", "body": "{text}"},
    "ack": {"match": {"type": "ok"}, "id": "ref"},
    "error": {"match": {"type": "err"}, "id": "ref", "code": "code", "reason": "why"},
    "delivery": {"match": {"type": "said"}, "id": "ref", "room": "channel", "sender": "from"},
}

RPC: dict[str, Any] = {
    "publish": {"id": "{id}", "method": "publish"},
    "ack": {"match": {"result": "*"}, "id": "id"},
    "error": {"match": {"error": "*"}, "id": "id", "code": "error.code", "reason": "error.data"},
    "pong": {"match": {"op": 11}},
    "delivery": {"match": {"push.0.live": True}, "id": "push.0.id", "room": "push.0.to"},
}


def dialect(described: dict[str, Any]) -> Dialect:
    return make_dialect(Endpoint(dialect="json", json=msgspec.convert(described, JsonDialect)))


def publishing(template: Any) -> Any:
    return json.loads(dialect(CHAT | {"publish": template}).publish(MESSAGE))


TEMPLATES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"n": "{seq}", "s": "{session}", "t": "{timestamp}"}, {"n": 12, "s": 7, "t": 1700}),
    ({"n": "no {seq}", "s": " {session}", "t": "{timestamp}{seq}"}, {"n": "no 12", "s": " 7", "t": "170012"}),
    ({"i": "{id}", "r": "{room}", "k": "{key}"}, {"i": "k3-7-12", "r": "blue", "k": "k3-7-0"}),
    ({"from": "{sender}"}, {"from": "k3-7"}),
    ({"x": "{text}"}, {"x": 'a "b" {c}'}),
    ({"x": "<{text}>"}, {"x": '<a "b" {c}>'}),
    ({"a": [{"b": ["{id}", 1, 2.5, True, "é\"\\"]}]}, {"a": [{"b": ["k3-7-12", 1, 2.5, True, 'é"\\']}]}),
    ({"{room}": {"{seq}": 1}}, {"blue": {"12": 1}}),
    ({"x": '{} { room } {a-b} } {"a":{"b":{seq}}}'}, {"x": '{} { room } {a-b} } {"a":{"b":12}}'}),
    ({"x": "{{room}} {{{room}}} {{nothing}}"}, {"x": "{room} {{room}} {nothing}"}),
    ({"{{id}}": "{{seq}}"}, {"{id}": "{seq}"}),
    ({}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("template", "frame"), TEMPLATES)
def test_a_template_is_filled_like_this(template: dict[str, Any], frame: dict[str, Any]) -> None:
    assert publishing(template) == frame


def test_a_template_without_placeholders_is_sent_as_it_is() -> None:
    assert dialect(CHAT | {"leave": {"op": 10, "d": []}}).leave(MESSAGE) == b'{"op":10,"d":[]}'


WRONG = [
    ({"publish": {"a": ["", "{romm}"]}}, r'endpoint\.json\.publish\.a\.1: .*"\{romm\}"; did you mean "\{room\}"'),
    ({"publish": {"{idd}": 1}}, r'endpoint\.json\.publish\.\{idd\}: .*"\{idd\}"; did you mean "\{id\}"'),
    ({"join": {"t": "${TOKEN}"}}, r'endpoint\.json\.join\.t: .*"\{TOKEN\}"; known ones: \{id\}, \{room\}'),
    ({"ack": {"match": {}, "id": "ref"}}, r"endpoint\.json\.ack\.match: it is empty"),
    ({"error": {"match": {}}}, r"endpoint\.json\.error\.match: it is empty"),
    ({"ack": {"match": {"type": "ok"}}}, r"endpoint\.json\.ack\.id: an ack must name"),
    ({"ping": {"ref": "{id}"}}, r"endpoint\.json\.pong: a ping is answered by a frame that names it"),
    ({"ping": {"ref": "{id}"}, "pong": {"match": {"t": "p"}}}, r"endpoint\.json\.pong: a ping is answered"),
    ({"delivery": {"match": {"type": "said"}}}, r"endpoint\.json\.delivery\.id: a delivery must name"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "told"), WRONG)
def test_a_wrong_description_is_refused_by_its_key(change: dict[str, Any], told: str) -> None:
    with pytest.raises(PlanError, match=told):
        dialect(CHAT | change)


def test_the_json_dialect_without_its_table_is_refused() -> None:
    with pytest.raises(PlanError, match=r"endpoint\.dialect"):
        make_dialect(Endpoint(dialect="json"))


def test_an_absent_intent_is_told_and_refused() -> None:
    chat = dialect(CHAT)
    assert (chat.joins, chat.leaves, chat.pings) == (True, False, False)
    with pytest.raises(ValueError, match="no leave"):
        chat.leave(MESSAGE)


CHAT_FRAMES = [
    ('{"type":"ok","ref":"k3-7-12"}', Signal(SignalKind.ACK, "k3-7-12")),
    ('{"type":"ok","ref":17}', Signal(SignalKind.ACK, "17")),
    ('{"type":"ok","ref":17.0}', Signal(SignalKind.ACK, "17")),
    ('{"type":"ok","ref":true}', Signal(SignalKind.ACK)),
    ('{"type":"ok"}', Signal(SignalKind.ACK)),
    (
        '{"type":"said","channel":"blue","ref":"k3-1-1","from":"bo","body":"x"}',
        Signal(SignalKind.DELIVERY, "k3-1-1", "blue", "bo", text="x"),
    ),
    (
        '{"type":"err","code":4000,"why":"no","ref":null}',
        Signal(SignalKind.ERROR, code=4000, reason="no"),
    ),
    ('{"type":"err","code":"4001","why":{"a":[1]}}', Signal(SignalKind.ERROR, code=4001, reason='{"a":[1]}')),
    ('{"type":"err","code":"E_BAD","why":null}', Signal(SignalKind.ERROR, code=code_number("E_BAD"))),
    ('{"type":"err","code":1e300}', Signal(SignalKind.ERROR, code=code_number(1e300))),
    ('{"type":"err","code":null}', Signal(SignalKind.ERROR)),
    ('{"type":"hello"}', Signal(SignalKind.OTHER)),
    ("{}", Signal(SignalKind.OTHER)),
    ('[{"type":"ok","ref":"a"}]', Signal(SignalKind.OTHER)),
    ("3", Signal(SignalKind.OTHER)),
]

RPC_FRAMES = [
    ('{"id":"a","result":{},"error":null}', Signal(SignalKind.ACK, "a")),
    ('{"id":"a","result":false}', Signal(SignalKind.ACK, "a")),
    (
        '{"id":"a","result":{},"error":{"code":-32600,"data":["x"]}}',
        Signal(SignalKind.ERROR, "a", code=-32600, reason='["x"]'),
    ),
    ('{"op":11}', Signal(SignalKind.PONG)),
    ('{"op":11.0}', Signal(SignalKind.PONG)),
    ('{"push":[{"live":true,"id":"b","to":"r"}]}', Signal(SignalKind.DELIVERY, "b", "r")),
    ('{"push":[{"live":1,"id":"b","to":"r"}]}', Signal(SignalKind.OTHER)),
    ('{"push":[]}', Signal(SignalKind.OTHER)),
    ('{"push":{"0":{"live":true,"id":"c"}}}', Signal(SignalKind.DELIVERY, "c")),
    ('{"push":"live"}', Signal(SignalKind.OTHER)),
]


@pytest.mark.parametrize(("frame", "signal"), CHAT_FRAMES)
def test_a_frame_of_a_chat_reads_as_this_signal(frame: str, signal: Signal) -> None:
    assert dialect(CHAT).decode(frame.encode()) == (signal,)


@pytest.mark.parametrize(("frame", "signal"), RPC_FRAMES)
def test_a_frame_of_an_rpc_reads_as_this_signal(frame: str, signal: Signal) -> None:
    assert dialect(RPC).decode(frame.encode()) == (signal,)


def test_phoenix_frames_which_are_arrays_are_read_by_index() -> None:
    phoenix = dialect(
        CHAT
        | {
            "ack": {"match": {"3": "phx_reply", "4.status": "ok"}, "id": "1"},
            "error": {"match": {"3": "phx_reply", "4.status": "error"}, "id": "1", "reason": "4.response.reason"},
            "delivery": {"match": {"3": "new_msg"}, "id": "4.id", "room": "2"},
        }
    )
    assert phoenix.decode(b'["1","2","room:lobby","phx_reply",{"status":"ok","response":{}}]') == (
        Signal(SignalKind.ACK, "2"),
    )
    assert phoenix.decode(b'["1","2","room:lobby","phx_reply",{"status":"error","response":{"reason":"no"}}]') == (
        Signal(SignalKind.ERROR, "2", reason="no"),
    )
    assert phoenix.decode(b'[null,null,"room:lobby","new_msg",{"id":"m1","text":"hi"}]') == (
        Signal(SignalKind.DELIVERY, "m1", "room:lobby", text=ABSENT),
    )


def test_a_delivery_that_matches_everything_takes_what_is_left() -> None:
    rest = dialect(CHAT | {"delivery": {"match": {}, "id": "n"}})
    assert rest.decode(b'{"n":"a"}') == (Signal(SignalKind.DELIVERY, "a", text=ABSENT),)
    assert rest.decode(b'{"type":"ok","ref":"a"}') == (Signal(SignalKind.ACK, "a"),)


@pytest.mark.parametrize("frame", [b"", b"hi", b"{", b'{"a":1}x', b'"\xff"', b"NaN", b"[" * 100_000])
def test_what_is_not_json_is_garbled(frame: bytes) -> None:
    (signal,) = dialect(CHAT).decode(frame)
    assert signal.kind is SignalKind.GARBLED
    assert signal.reason


ANY_CHAT, ANY_RPC = dialect(CHAT), dialect(RPC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
NAMES = st.sampled_from(["type", "ref", "channel", "from", "code", "why", "id", "result", "error", "op", "push"])
KINDS = st.sampled_from(["ok", "err", "said", 11, [{"live": True}]])


@patient
@given(st.binary())
def test_no_bytes_make_decoding_raise(frame: bytes) -> None:
    assert len(ANY_CHAT.decode(frame)) == 1


@patient
@given(st.dictionaries(NAMES, JSON | KINDS))
def test_no_json_makes_decoding_raise(frame: dict[str, object]) -> None:
    data = json.dumps(frame).encode()
    assert len(ANY_CHAT.decode(data)) == 1
    assert len(ANY_RPC.decode(data)) == 1


@pytest.mark.parametrize("depth", [400, 900, 960, 1000, 1100])
def test_no_depth_of_a_reason_makes_decoding_raise(depth: int) -> None:
    frame = b'{"type":"err","why":' + b"[" * depth + b"]" * depth + b"}"
    assert len(ANY_CHAT.decode(frame)) == 1


@patient
@given(st.text(), st.text(), st.text(), st.text())
def test_what_was_published_comes_back_from_an_endpoint_that_relays_it(
    message_id: str, room: str, text: str, sender: str
) -> None:
    said = json.loads(ANY_CHAT.publish(Message(id=message_id, room=room, text=text)))
    assert said == {"type": "say", "channel": room, "ref": message_id, "body": text}
    frame = json.dumps(said | {"type": "said", "from": sender}).encode()
    assert ANY_CHAT.decode(frame) == (Signal(SignalKind.DELIVERY, message_id, room, sender, text=text),)


def test_a_text_is_filled_in_anew_when_it_is_another() -> None:
    publish = dialect(CHAT | {"publish": {"a": "{text}", "b": "{text}"}}).publish
    texts = ("one", "one", "two", "one", 'with "quotes"')
    said = [publish(Message(id="n-1-2", text=text)) for text in texts]
    assert [json.loads(frame) for frame in said] == [{"a": text, "b": text} for text in texts]


ERRORS: dict[str, Any] = CHAT | {
    "error": [
        {"match": {"type": "err", "why": ["slow", "busy"]}, "id": "ref", "fixed_code": "RATE"},
        {"match": {"type": "err", "sub": 4}, "id": "sub_ref", "code": "num", "fixed_code": 499, "reason": "text"},
        {"match": {"type": ["err", "fatal"]}},
    ]
}


@pytest.mark.parametrize(
    ("frame", "id", "code", "reason"),
    [
        ({"type": "err", "why": "slow", "ref": "a"}, "a", code_number("RATE"), ""),
        ({"type": "err", "why": "busy", "num": 7}, None, code_number("RATE"), ""),
        ({"type": "err", "sub": 4, "sub_ref": 12, "num": [1.0], "text": "no"}, "12", code_number([1]), "no"),
        ({"type": "err", "sub": 4, "num": None}, None, 499, ""),
        ({"type": "err", "why": ["slow"]}, "", NO_CODE, ""),
        ({"type": "fatal"}, "", NO_CODE, ""),
    ],
)  # fmt: skip
def test_the_first_of_several_errors_that_matches_gives_id_code_and_reason(
    frame: dict[str, Any], id: str | None, code: int, reason: str
) -> None:
    (signal,) = dialect(ERRORS).decode(json.dumps(frame).encode())
    assert (signal.kind, signal.id, signal.code, signal.reason) == (SignalKind.ERROR, id, code, reason)


@pytest.mark.parametrize(
    ("wanted", "found", "matches"),
    [
        (["a", "b"], "a", True),
        (["a", "b"], "b", True),
        (["a"], "a", True),
        (["a", "b"], "c", False),
        (["a", "b"], ["a", "b"], False),
        ([["a", "b"]], ["a", "b"], True),
        ([1, True], 1.0, True),
        ([True], 1, False),
        (["*"], "x", False),
        (["*"], "*", True),
        ("*", ["a"], True),
    ],
    ids=str,
)
def test_a_list_in_a_match_is_one_of_several_values(wanted: Any, found: Any, matches: bool) -> None:
    described = CHAT | {"ack": {"match": {"op": wanted}, "id": "ref"}}
    (signal,) = dialect(described).decode(json.dumps({"op": found, "ref": "a"}).encode())
    assert (signal.kind is SignalKind.ACK) is matches


def test_a_list_of_no_values_is_refused() -> None:
    with pytest.raises(PlanError, match=r"endpoint\.json\.ack\.match\.op: "):
        dialect(CHAT | {"ack": {"match": {"op": []}, "id": "ref"}})


@pytest.mark.parametrize(
    ("template", "frame"), [(["say", "{id}", ["{seq}", 1]], ["say", "k3-7-12", [12, 1]]), ("say {id}", "say k3-7-12")]
)
def test_a_template_may_be_an_array_or_a_string(template: Any, frame: Any) -> None:
    assert publishing(template) == frame


@pytest.mark.parametrize(
    ("value", "id"),
    [("7", "7"), (7, "7"), (7.0, "7"), (2**70, str(2**70)), (-1, "-1"), (1.5, "1.5"), (True, None), ([7], None)],
    ids=str,
)  # fmt: skip
def test_an_id_is_the_same_as_a_text_and_as_a_number(value: Any, id: str | None) -> None:
    (signal,) = dialect(CHAT).decode(json.dumps({"type": "ok", "ref": value}).encode())
    assert signal.id == id


@pytest.mark.parametrize(
    ("publish", "delivery", "frame", "text"),
    [
        ({"body": "{text}"}, {}, {"body": "hi"}, "hi"),
        ({"data": {"text": "{text}"}}, {}, {"data": {"text": "hi"}}, "hi"),
        ({"data": [1, "{text}"]}, {}, {"data": [1, "hi"]}, "hi"),
        ({"body": "{text}"}, {"id": "data.ref"}, {"data": {"body": "hi"}}, "hi"),
        ({"body": "{text}"}, {"text": "said.what"}, {"body": "no", "said": {"what": "hi"}}, "hi"),
        ({"body": "{text}"}, {"text": "what"}, {"body": "no"}, ABSENT),
        ({"body": "{text}"}, {}, {}, ABSENT),
        ({"body": "{text}"}, {}, {"body": 7}, ABSENT),
        ({"body": "{text}"}, {}, {"body": ""}, ""),
        ({"body": "<{text}>"}, {}, {"body": "<hi>"}, None),
        ({"n": 1}, {}, {"body": "hi"}, None),
        ({"n": 1}, {"text": "body"}, {"body": "hi"}, "hi"),
    ],
)
def test_the_text_of_a_delivery_is_looked_for_where_the_plan_says_or_where_publish_has_it(
    publish: dict[str, Any], delivery: dict[str, Any], frame: dict[str, Any], text: str | None
) -> None:
    described = CHAT | {"publish": publish | {"id": "{id}"}, "delivery": CHAT["delivery"] | delivery}
    (signal,) = dialect(described).decode(json.dumps({"type": "said"} | frame).encode())
    assert signal.text == text
