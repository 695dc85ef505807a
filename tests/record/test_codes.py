"""Codes of any JSON type as numbers of a row: which are themselves, and which get another number and a name."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.record.codes import (
    LARGEST,
    LEAST_PLAIN,
    NO_CODE,
    NamedCode,
    code_number,
    code_text,
    code_text_of,
)
from harness.record.recorder import Recorder

SMALLEST = -(1 << 31)


@pytest.mark.parametrize("value", [0, 1, -1, 429, -32600, LARGEST, LEAST_PLAIN])
def test_a_whole_number_that_fits_is_itself_also_as_text_and_as_a_float(value):
    assert code_number(value) == code_number(str(value)) == code_number(float(value)) == value


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (LARGEST + 1, "2147483648"),
        (LEAST_PLAIN - 1, "-1073741825"),
        (2**80, str(2**80)),
        ("RATE_LIMITED", '"RATE_LIMITED"'),
        ("", '""'),
        ("007", '"007"'),
        ("-0", '"-0"'),
        ("4 ", '"4 "'),
        (True, "true"),
        (False, "false"),
        (4.5, "4.5"),
        ([], "[]"),
        ({"b": 1.0, "a": [None, "é"]}, '{"a":[null,"é"],"b":1}'),
    ],
    ids=str,
)
def test_any_other_code_is_a_number_out_of_the_way_and_keeps_its_canonical_json(value, name):
    number = code_number(value)
    assert isinstance(number, NamedCode) and number.name == name
    assert SMALLEST <= number < LEAST_PLAIN


def test_a_null_is_no_code():
    assert code_number(None) == NO_CODE


def test_what_is_nested_too_deep_is_no_code():
    nested: object = 1
    for _ in range(100_000):
        nested = [nested]
    assert code_number(nested) == NO_CODE
    while isinstance(nested, list):  # or its deletion would recurse
        nested = nested[0]


def test_true_is_not_1_and_the_order_of_keys_does_not_matter():
    assert code_number(True) != code_number(1)
    assert code_number({"a": 1, "b": 2}) == code_number({"b": 2.0, "a": 1})
    assert code_number("true") != code_number(True)


def test_another_process_gives_a_code_the_same_number():
    program = "from harness.record.codes import code_number; print(int(code_number({'why': ['slow', 1.5]})))"
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(there) == code_number({"why": ["slow", 1.5]})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(anything)
def test_every_code_fits_the_column(value):
    number = code_number(value)
    assert SMALLEST <= number <= LARGEST
    assert isinstance(number, NamedCode) == (number < LEAST_PLAIN)
    assert code_text_of(number)


@pytest.mark.parametrize(
    ("name", "text"),
    [('"SLOW"', "SLOW"), ('"429x"', '"429x"'), ('"null"', '"null"'), ('""', '""'), ("[1]", "[1]"), ("4.5", "4.5")],
)
def test_quotes_stand_where_a_text_could_be_taken_for_something_else(name, text):
    assert code_text(name) == text


def test_a_long_name_is_cut():
    assert len(code_text(json.dumps("x" * 5000))) < 250


def test_the_recorder_names_each_code_once_even_when_its_evidence_is_full(tmp_path):
    with Recorder(tmp_path) as recorder:
        for number in range(300):
            recorder.evidence(1, "error", 0, f"text {number}")
        for _ in range(3):
            recorder.name_code(code_number("SLOW"), 7)
            recorder.name_code(429, 7)
    lines = [json.loads(line) for line in recorder.evidence_path.read_text().splitlines()]
    codes = [line for line in lines if line["kind"] == "code"]
    assert codes == [{"at_ns": 7, "kind": "code", "code": int(code_number("SLOW")), "text": '"SLOW"'}]


def test_evidence_shows_the_code_itself(tmp_path):
    with Recorder(tmp_path) as recorder:
        recorder.evidence(1, "error", code_number("SLOW"), "slow down")
        recorder.evidence(1, "error", 429, "slow down")
    lines = [json.loads(line) for line in recorder.evidence_path.read_text().splitlines()]
    assert [line["code"] for line in lines] == ["SLOW", 429]
