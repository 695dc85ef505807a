"""Malformed payloads: each proven malformed, all kinds in turn, the id kept."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.faults.payloads import Malformer
from harness.plan import Endpoint, load_plan
from harness.record.row import Damage
from harness.wire import Message, make_dialect

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "contracts" / "reference" / "sendMessage.json").read_text())
FOREIGN_SCHEMA = json.loads((ROOT / "plans" / "foreign-chat.say.json").read_text())
RAW = {kind for kind in Damage if kind >= Damage.TRUNCATED}
FRAME_BYTES = 128 * 1024
ENVELOPE = make_dialect(Endpoint())
FOREIGN = make_dialect(load_plan(ROOT / "plans" / "foreign-chat.toml").endpoint)
VALID = ENVELOPE.publish(Message("k3-7-12", room="room-1", text="hi", timestamp_ms=1700))
SAID = FOREIGN.publish(Message("k3-7-12", room="room-1", text="hi"))

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
seeds = st.integers(0, 2**32)


def is_strict_json(data: bytes) -> bool:
    def refuse(text: str) -> None:
        raise ValueError(text)

    try:
        json.loads(data, parse_constant=refuse)
    except ValueError:
        return False
    return True


def probes(schema: dict[str, object] | None, valid: bytes, count: int, seed: int = 1) -> list[tuple[Damage, bytes]]:
    malformer = Malformer(schema, seed)
    return [malformer.damage(valid) for _ in range(count)]


def assert_malformed(kind: Damage, data: bytes, schema: dict[str, Any]) -> None:
    data.decode()
    assert len(data) < FRAME_BYTES
    if kind in RAW:
        assert not is_strict_json(data)
        with pytest.raises((msgspec.DecodeError, ValueError)):
            msgspec.json.decode(data)
    else:
        assert not jsonschema_rs.is_valid(schema, json.loads(data))


@patient
@given(texts, seeds)
def test_no_probe_of_the_reference_is_accepted_by_its_schema(text: str, seed: int) -> None:
    valid = ENVELOPE.publish(Message("k3-7-12", room="room-1", text=text, timestamp_ms=1700))
    assert jsonschema_rs.is_valid(SCHEMA, json.loads(valid))
    for kind, data in probes(SCHEMA, valid, 20, seed):
        assert_malformed(kind, data, SCHEMA)


@patient
@given(texts, seeds)
def test_no_probe_of_a_foreign_server_is_accepted_by_its_schema(text: str, seed: int) -> None:
    valid = FOREIGN.publish(Message("k3-7-12", room="room-1", text=text))
    assert jsonschema_rs.is_valid(FOREIGN_SCHEMA, json.loads(valid))
    for kind, data in probes(FOREIGN_SCHEMA, valid, 20, seed):
        assert_malformed(kind, data, FOREIGN_SCHEMA)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("schema", "valid"), [(SCHEMA, VALID), (FOREIGN_SCHEMA, SAID)], ids=["reference", "foreign"])
def test_any_twenty_probes_hold_every_kind_once_or_twice(schema: dict[str, object], valid: bytes, seed: int) -> None:
    kinds = [kind for kind, _ in probes(schema, valid, 60, seed)]
    for first in range(40):
        seen = Counter(kinds[first : first + 20])
        assert set(seen) == set(Damage)
        assert max(seen.values()) <= 2


def test_without_a_schema_every_kind_of_broken_json_and_nothing_else_is_sent() -> None:
    assert {kind for kind, _ in probes(None, VALID, 20)} == RAW


def test_a_schema_that_allows_anything_leaves_only_broken_json() -> None:
    assert {kind for kind, _ in probes({}, VALID, 20)} == RAW


def test_a_schema_that_bounds_nothing_has_no_text_that_is_too_long() -> None:
    loose: dict[str, object] = {"type": "object", "required": ["payload"]}
    kinds = {kind for kind, _ in probes(loose, VALID, 40)}
    assert {Damage.MISSING_KEY, Damage.NOT_AN_OBJECT} | RAW == kinds


def test_a_limit_beyond_the_frame_limit_is_not_tried() -> None:
    vast: dict[str, object] = {
        "type": "object",
        "properties": {"payload": {"properties": {"text": {"maxLength": 10_000_000}}}},
    }
    assert Damage.TOO_LONG not in {kind for kind, _ in probes(vast, VALID, 20)}


def test_the_same_seed_gives_the_same_probes_and_another_seed_others() -> None:
    assert probes(SCHEMA, VALID, 40, 5) == probes(SCHEMA, VALID, 40, 5)
    assert probes(SCHEMA, VALID, 40, 5) != probes(SCHEMA, VALID, 40, 6)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("schema", "valid", "key"), [(SCHEMA, VALID, "requestId"), (FOREIGN_SCHEMA, SAID, "ref")], ids=["ours", "foreign"]
)
def test_every_probe_that_is_an_object_still_names_the_message(
    schema: dict[str, object], valid: bytes, key: str, seed: int
) -> None:
    for kind, data in probes(schema, valid, 60, seed):
        if kind not in RAW:
            frame = json.loads(data)
            assert (frame[0] if kind is Damage.NOT_AN_OBJECT else frame)[key] == "k3-7-12"


@pytest.mark.parametrize("seed", range(10))
def test_an_id_under_an_unusual_name_inside_the_payload_is_kept_too(seed: int) -> None:
    valid = b'{"op":"say","to":"blue","inside":{"nonsense":"k3-7-12","body":"hi"}}'
    schema: dict[str, object] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["op", "to", "inside"],
        "properties": {
            "op": {"const": "say"},
            "to": {"type": "string"},
            "inside": {
                "type": "object",
                "required": ["nonsense", "body"],
                "properties": {"nonsense": {"type": "string"}, "body": {"type": "string", "minLength": 1}},
            },
        },
    }
    for kind, data in probes(schema, valid, 40, seed):
        if kind not in RAW:
            assert b'"nonsense":"k3-7-12"' in data


def test_an_empty_frame_is_truly_empty() -> None:
    assert dict(probes(SCHEMA, VALID, 20))[Damage.EMPTY_FRAME] == b""


def test_too_long_passes_the_schema_limit_by_the_text_alone() -> None:
    frame = json.loads(dict(probes(SCHEMA, VALID, 20))[Damage.TOO_LONG])
    assert len(frame["payload"]["text"]) > 100_000
    assert jsonschema_rs.is_valid(SCHEMA, frame | {"payload": {"text": "hi"}})


def test_what_is_not_a_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Malformer({"type": "nonsense"}, 1)
