"""The WebSocket side against its AsyncAPI document: its own examples are sent, and every frame that comes is judged."""

import json

import jsonschema_rs
import pytest

from tests.contracts.conftest import CONTRACTS

DOCUMENT = json.loads((CONTRACTS / "asyncapi.json").read_text())
MESSAGES = DOCUMENT["components"]["messages"]
RECEIVED = {name: operation for name, operation in DOCUMENT["operations"].items() if operation["action"] == "receive"}


def schema_of(message):
    place = message["payload"]["$ref"]
    if place.startswith("#/components/schemas/"):
        return DOCUMENT["components"]["schemas"][place.rpartition("/")[2]]
    return json.loads((CONTRACTS / place).read_text())


VALIDATORS = {name: jsonschema_rs.validator_for(schema_of(message)) for name, message in MESSAGES.items()}
BEFORE = {"leaveRoom": "joinRoom", "sendMessage": "joinRoom", "unsubscribeTicker": "subscribeTicker"}
"""What has to be done before an example can succeed."""


def example(name):
    return MESSAGES[name]["examples"][0]["payload"]


def judged(frame):
    """The message that a frame is, once its schema has accepted it."""
    name = frame.get("action", "gatewayError")
    VALIDATORS[name].validate(frame)
    return name


def replies(name):
    """What may answer an operation: the good answer first."""
    return [message["$ref"].rpartition("/")[2] for message in RECEIVED[name]["reply"]["messages"]]


@pytest.mark.parametrize("name", RECEIVED)
def test_the_example_of_every_operation_gets_the_reply_that_the_document_names(endpoint, name):
    with endpoint.client() as client:
        if name in BEFORE:
            client.raw(json.dumps(example(BEFORE[name])))
            assert judged(client.get()) == "ack"
        client.raw(json.dumps(example(name)))
        answer = client.get()
        assert judged(answer) == replies(name)[0]
        assert answer["requestId"] == example(name)["requestId"]
        if name == "sendMessage":
            delivery = client.get()
            assert judged(delivery) == "message"
            assert delivery["payload"]["text"] == example(name)["payload"]["text"]


@pytest.mark.parametrize("name", RECEIVED)
def test_an_operation_that_lacks_any_of_its_required_fields_gets_an_error_as_documented(endpoint, name):
    required = json.loads((CONTRACTS / "reference" / f"{name}.json").read_text())["required"]
    with endpoint.client() as client:
        for field in required:
            client.raw(json.dumps({key: value for key, value in example(name).items() if key != field}))
            error = client.get()
            assert judged(error) == "error" and "error" in replies(name)
            assert error["payload"]["code"] == 400


def test_errors_of_every_kind_are_as_documented(serving):
    with serving("--throttle-burst", "6", "--throttle-per-s", "0.001") as endpoint, endpoint.client() as client:
        sent = ["{", "[]", json.dumps(example("joinRoom") | {"version": "9"}), json.dumps(example("leaveRoom"))]
        sent += [
            json.dumps(example("joinRoom") | {"roomId": "admin.x"}),
            '{"requestId": "r"}',
            json.dumps(example("ping")),
        ]
        codes = []
        for text in sent:
            client.raw(text)
            error = client.get()
            assert judged(error) == "error"
            codes.append(error["payload"]["code"])
    assert codes == [400, 400, 400, 403, 403, 400, 429]


def test_what_the_gateway_itself_refuses_is_as_documented_and_the_connection_stays(serving):
    with serving("--no-default-route") as endpoint, endpoint.client() as client:
        client.raw(json.dumps(example("ping") | {"action": "dance"}))
        frame = client.get()
        assert judged(frame) == "gatewayError" and frame["message"] == "Forbidden"
        assert frame["connectionId"] == endpoint.listed()[0]["connectionId"]
        client.raw(json.dumps(example("ping")))
        assert judged(client.get()) == "pong"


@pytest.mark.parametrize("name", MESSAGES)
def test_a_schema_refuses_a_frame_with_more_or_fewer_fields_than_it_names(name):
    VALIDATORS[name].validate(example(name))
    assert not VALIDATORS[name].is_valid(example(name) | {"more": 1})
    last = list(example(name))[-1]
    assert not VALIDATORS[name].is_valid({key: value for key, value in example(name).items() if key != last})
