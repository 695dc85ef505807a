"""What Squall ships and writes fits the schemas that it prints."""

import json
import tomllib
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest
from click.testing import CliRunner

from reports.schemas import STRUCTS, schema
from squall.cli import squall
from squall.commands.schema import NAMES
from tests.fault_numbers import Fault

ROOT = Path(__file__).parents[2]


def shipped(folder):
    return sorted((ROOT / folder).glob("*.toml"))


def fits(name, content):
    jsonschema_rs.validator_for(schema(name)).validate(content)


def test_a_report_fits_its_schema(clean):
    clean.fault(3, Fault.DROP_RESET, 8000).close(3, 8000, code=1006).poll(2000).poll(4000)
    clean.recorder.evidence(1, "error", 1, "why")
    fits("report", clean.report())


def test_a_run_of_an_older_squall_fits_too(make):
    from .conftest import content

    fits("report", content(Path(__file__).with_name("kept") / "format-1"))


@pytest.mark.parametrize("path", shipped("plans"), ids=lambda path: path.stem)
def test_a_shipped_plan_fits_the_schema(path):
    fits("plan", tomllib.loads(path.read_text()))


@pytest.mark.parametrize("path", shipped("budgets"), ids=lambda path: path.stem)
def test_a_shipped_budget_fits_the_schema(path):
    fits("budget", tomllib.loads(path.read_text()))


@pytest.mark.parametrize("path", shipped("contracts"), ids=lambda path: path.stem)
def test_a_shipped_contract_fits_the_schema(path):
    fits("contract", tomllib.loads(path.read_text())["contract"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plan", {"load": {"sesions": 3}}),
        ("plan", {"chaos": [{"fault": "drop", "how": "sideways", "at_s": 1.0, "count": 1}]}),
        ("plan", {"chaos": [{"fault": "drop", "how": "fin", "at_s": 1.0, "count": 1, "hold_s": 2.0}]}),
        ("plan", {"chaos": [{"fault": "burst", "at_s": 1.0, "messages": "many"}]}),
        ("budget", {"clause": [{"figure": "x", "most": 3}]}),
        ("contract", {"throttle_per_s": "ten"}),
        ("report", {"format": 1}),
    ],
)
def test_what_is_wrong_does_not_fit(name, content):
    with pytest.raises(jsonschema_rs.ValidationError):
        fits(name, content)


@pytest.mark.parametrize("name", NAMES)
def test_the_command_prints_each_schema(name):
    done = CliRunner().invoke(squall, ["schema", name])
    assert done.exit_code == 0
    assert json.loads(done.output) == json.loads(msgspec.json.encode(schema(name)))


def test_there_is_a_command_for_every_schema_and_its_fields_are_described():
    assert set(NAMES) == STRUCTS.keys()
    for name in NAMES:  # a name of two structs would be told apart by their modules
        assert all("_" not in inner for inner in schema(name)["$defs"])
    lost = schema("report")["$defs"]["Books"]["properties"]["lost"]
    assert lost["description"]
