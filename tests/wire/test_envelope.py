"""The envelope by golden frames, and that it swallows anything."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.plan import Endpoint
from harness.record.codes import code_number
from harness.record.row import SignalKind
from harness.wire import Message, make_dialect
from harness.wire.dialect import REASON_CHARS
from harness.wire.signal import Signal
from harness.wire.texts import ABSENT

DIALECT = make_dialect(Endpoint())
MESSAGE = Message(id="k3-7-12", seq=12, room="room-1", text='say "hé"\n', session=7, timestamp_ms=1700)

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SENT = [
    (
        "join",
        '{"version":"1.0","action":"joinRoom","requestId":"k3-7-12","roomId":"room-1","payload":{},"timestamp":1700}',
    ),
    (
        "leave",
        '{"version":"1.0","action":"leaveRoom","requestId":"k3-7-12","roomId":"room-1","payload":{},"timestamp":1700}',
    ),
    (
        "publish",
        '{"version":"1.0","action":"sendMessage","requestId":"k3-7-12","roomId":"room-1",'
        '"payload":{"text":"say \\"hé\\"\\n"},"timestamp":1700}',
    ),
    ("ping", '{"version":"1.0","action":"ping","requestId":"k3-7-12","payload":{},"timestamp":1700}'),
]

RECEIVED = [
    (
        '{"version":"1.0","action":"ack","requestId":"k3-7-12","roomId":"room-1","payload":{},"timestamp":1}',
        Signal(SignalKind.ACK, "k3-7-12", "room-1"),
    ),
    ('{"action":"pong","requestId":"k3-7-13"}', Signal(SignalKind.PONG, "k3-7-13")),
    (
        '{"version":"1.0","action":"message","requestId":"k3-9-1","roomId":"r","payload":{"text":"x","sender":"bo"}}',
        Signal(SignalKind.DELIVERY, "k3-9-1", "r", "bo", text="x"),
    ),
    ('{"action":"message","roomId":"r"}', Signal(SignalKind.DELIVERY, None, "r", text=ABSENT)),
    (
        '{"action":"error","requestId":"k3-7-1","roomId":"r","payload":{"code":429,"message":"slow down"}}',
        Signal(SignalKind.ERROR, "k3-7-1", "r", code=429, reason="slow down"),
    ),
    (
        '{"action":"error","requestId":null,"payload":{"code":400,"message":"not JSON"}}',
        Signal(SignalKind.ERROR, code=400, reason="not JSON"),
    ),
    ('{"action":"error"}', Signal(SignalKind.ERROR)),
    ('{"action":"error","payload":{"code":99999999999}}', Signal(SignalKind.ERROR, code=code_number(99999999999))),
    ('{"action":"error","payload":{"code":"SLOW"}}', Signal(SignalKind.ERROR, code=code_number("SLOW"))),
    ('{"action":"error","payload":{"code":null}}', Signal(SignalKind.ERROR)),
    (
        '{"message":"Forbidden","connectionId":"eHrdFcnvvHcCE-w=","requestId":"eHrjDEuVPHcFWMg="}',
        Signal(SignalKind.ERROR, "", reason="Forbidden"),
    ),
    (
        '{"message":"Internal server error","connectionId":"Qyi07eCbtjMCJKw=","requestId":"Qyi3UG41tjMFlUg="}',
        Signal(SignalKind.ERROR, "", reason="Internal server error"),
    ),
    ('{"action":"ack","roomId":"r"}', Signal(SignalKind.ACK, None, "r")),
    ('{"action":"presence","roomId":"r"}', Signal(SignalKind.OTHER, None, "r", reason="presence")),
]

NOT_THE_PROTOCOL = [
    b"",
    b"hello",
    b"[]",
    b"17",
    b"{}",
    b'{"action":"ack","requestId":17}',
    b'{"action":17}',
    b'{"action":"message","requestId":"a","payload":[]}',
    b'{"action":"ack","requestId":"a"',
    b'{"action":"ack","requestId":"a"}x',
    b'{"action":"\xff"}',
    b"\x00\x01",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"action":"error","payload":{"code":' + b"9" * 5000 + b"}}",
]


@pytest.mark.parametrize(("intent", "frame"), SENT, ids=[intent for intent, _ in SENT])
def test_an_intent_becomes_exactly_this_frame(intent: str, frame: str) -> None:
    assert getattr(DIALECT, intent)(MESSAGE).decode() == frame


@pytest.mark.parametrize(("frame", "signal"), RECEIVED)
def test_a_frame_of_the_endpoint_reads_as_this_signal(frame: str, signal: Signal) -> None:
    assert DIALECT.decode(frame.encode()) == (signal,)


@pytest.mark.parametrize("frame", NOT_THE_PROTOCOL, ids=lambda frame: repr(frame[:40]))
def test_what_is_not_the_protocol_is_garbled_with_a_reason(frame: bytes) -> None:
    (signal,) = DIALECT.decode(frame)
    assert signal.kind is SignalKind.GARBLED
    assert 0 < len(signal.reason) <= REASON_CHARS


@patient
@given(st.binary())
def test_no_bytes_make_decoding_raise(frame: bytes) -> None:
    assert len(DIALECT.decode(frame)) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
KEYS = ("version", "action", "requestId", "roomId", "payload", "message", "timestamp")
ACTIONS = st.sampled_from(["ack", "pong", "message", "error", "other"])


@patient
@given(st.dictionaries(st.sampled_from(KEYS), JSON | ACTIONS))
def test_no_envelope_with_wrong_values_makes_decoding_raise(frame: dict[str, object]) -> None:
    assert len(DIALECT.decode(json.dumps(frame).encode())) == 1


@patient
@given(st.text(), st.text(), st.text(), st.text())
def test_what_was_published_comes_back_from_an_endpoint_that_relays_it(
    message_id: str, room: str, text: str, sender: str
) -> None:
    request = json.loads(DIALECT.publish(Message(id=message_id, room=room, text=text)))
    assert request["payload"] == {"text": text}
    relayed = request | {"action": "message", "payload": request["payload"] | {"sender": sender}}
    frame = json.dumps(relayed).encode()
    assert DIALECT.decode(frame) == (Signal(SignalKind.DELIVERY, message_id, room, sender, text=text),)


def test_the_envelope_has_every_intent_and_acks_by_a_frame() -> None:
    assert (DIALECT.acks, DIALECT.joins, DIALECT.leaves, DIALECT.pings) == ("frame", True, True, True)
