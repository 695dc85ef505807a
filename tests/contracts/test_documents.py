"""The contract's documents, judged by public validators, and held against each other and against the endpoint."""

import json
import shutil
import tomllib

import jsonschema_rs
import msgspec
import pytest
from openapi_spec_validator import validate
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from harness.endpoint import rest_routes
from harness.endpoint.schemas import ACTIONS
from harness.endpoint.settings import MAX_DEPTH, MAX_ROOMS, Settings
from harness.plan.contract import Contract
from tests.contracts.conftest import CONTRACTS

pytestmark = pytest.mark.slow(reason="runs the public validators of npm, once a document")

SCHEMAS = sorted((CONTRACTS / "reference").glob("*.json"))
OPENAPI = json.loads((CONTRACTS / "openapi.json").read_text())
ASYNCAPI = json.loads((CONTRACTS / "asyncapi.json").read_text())


def test_the_asyncapi_document_is_valid_and_nothing_in_it_is_worth_a_warning(judge_asyncapi):
    assert judge_asyncapi(CONTRACTS / "asyncapi.json") == {"valid": True, "diagnostics": []}


def test_the_asyncapi_judge_finds_what_is_wrong(judge_asyncapi, tmp_path):
    shutil.copytree(CONTRACTS / "reference", tmp_path / "reference")
    for damage in (
        lambda document: document["operations"]["ping"].pop("channel"),
        lambda document: document["components"]["messages"]["ack"]["payload"].update({"$ref": "./reference/no.json"}),
        lambda document: document["channels"]["connection"]["messages"].pop("ack"),
    ):
        damaged = json.loads(json.dumps(ASYNCAPI))
        damage(damaged)
        path = tmp_path / "asyncapi.json"
        path.write_text(json.dumps(damaged))
        told = judge_asyncapi(path)
        assert not told["valid"] and told["diagnostics"]


def test_the_openapi_document_is_valid_3_1(tmp_path):
    assert OPENAPI["openapi"].startswith("3.1.")
    validate(OPENAPI)


def test_the_openapi_judge_finds_what_is_wrong():
    for damage in (
        lambda document: document["info"].pop("title"),
        lambda document: document["paths"]["/rooms/{roomId}/messages"].pop("parameters"),
        lambda document: document["components"]["schemas"]["Room"].update(type="thing"),
    ):
        damaged = json.loads(json.dumps(OPENAPI))
        damage(damaged)
        with pytest.raises(OpenAPIValidationError):
            validate(damaged)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_every_json_schema_is_one_and_names_itself(path):
    schema = json.loads(path.read_text())
    jsonschema_rs.meta.validate(schema)
    assert schema["$id"].endswith(f"/reference/{path.name}") and schema["title"] == path.stem
    assert schema["properties"]["action"] == {"const": path.stem}
    assert schema["additionalProperties"] is False and schema["description"]


def test_the_asyncapi_document_tells_of_every_schema_and_every_action_and_of_no_other():
    messages = ASYNCAPI["components"]["messages"]
    files = {f"./reference/{path.name}" for path in SCHEMAS}
    inside = {f"#/components/schemas/{name}" for name in ASYNCAPI["components"]["schemas"]}
    assert {message["payload"]["$ref"] for message in messages.values()} == files | inside
    assert set(ASYNCAPI["channels"]["connection"]["messages"]) == set(messages)
    received = {name for name, operation in ASYNCAPI["operations"].items() if operation["action"] == "receive"}
    assert received == set(ACTIONS)


REFERENCE = tomllib.loads((CONTRACTS / "reference.toml").read_text())


def test_the_reference_contract_has_the_limits_that_the_endpoint_serves_by_default():
    contract, settings = REFERENCE["contract"], Settings()
    assert contract["throttle_per_s"] == settings.throttle_per_s
    assert contract["throttle_burst"] == settings.throttle_burst
    assert (contract["idle_s"], contract["lifetime_s"]) == (settings.idle_timeout_s, settings.max_lifetime_s)
    noticed_s = settings.ping_interval_s + settings.ping_timeout_s
    assert noticed_s < contract["stale_within_s"] <= noticed_s + 2
    limits = REFERENCE["limits"]
    assert limits.pop("message_bytes") == settings.max_message_bytes
    assert limits.pop("frame_bytes") == settings.max_frame_bytes
    assert limits.pop("unsent_bytes") == settings.unsent_bytes
    assert limits.pop("nesting") == MAX_DEPTH and limits.pop("rooms_per_connection") == MAX_ROOMS
    assert limits.pop("history_page") == rest_routes.MAX_LIMIT and limits.pop("long_poll_s") == rest_routes.MAX_WAIT_S
    assert not limits  # nothing is promised that is not looked at here
    for name, value in REFERENCE["throttle"].items():
        assert getattr(settings, name) == value


def test_the_reference_contract_and_the_openapi_document_agree_on_routes_and_codes():
    auth = REFERENCE["auth"]
    operations = [
        (path, operation)
        for path, item in OPENAPI["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
    assert {path for path, operation in operations if operation.get("security") == []} == {*auth["open_routes"], "/ws"}
    for path, operation in operations:
        if path not in auth["open_routes"]:
            assert {str(auth["unauthenticated"]), str(auth["forbidden"])} <= set(operation["responses"]), path
    assert str(REFERENCE["delivery"]["not_kept"]) in OPENAPI["paths"]["/rooms/{roomId}/messages"]["post"]["responses"]
    described = ASYNCAPI["channels"]["connection"]["description"]
    assert all(f"{code} " in described for code in REFERENCE["close_codes"].values())


def test_the_reference_contract_is_one_that_a_plan_can_hold():
    msgspec.convert(REFERENCE["contract"], Contract)
