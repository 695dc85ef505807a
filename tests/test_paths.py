"""Dotted paths, on decoded JSON and on the bytes of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import did_you_mean
from harness.paths import split, walk, walk_undecoded

TREE = {"a": {"b": [{"c": 1}, None, "x"]}, "0": {"1": False}, "n": None, "e": ""}


@pytest.mark.parametrize(
    ("dotted", "expected"),
    [
        ("", TREE), ("a.b.0.c", 1), ("a.b.2", "x"), ("0.1", False), ("e", ""), ("a.b.0", {"c": 1}), ("n", None),
        ("a.b.1", None), ("a.b.3", None), ("a.b.-1", None), ("a.b.x", None), ("a.b.2.0", None), ("n.x", None),
        ("z", None), ("a..b", None), ("a.b.0.c.d", None),
    ],
)  # fmt: skip
def test_a_path_leads_to_what_stands_there_or_to_nothing(dotted, expected):
    assert walk(TREE, split(dotted)) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inside: st.dictionaries(st.sampled_from("abc"), inside, max_size=3),
    max_leaves=10,
)


@given(JSON, st.lists(st.sampled_from("abc"), max_size=4))
def test_undecoded_json_is_walked_as_the_decoded_is(tree, path):
    found = walk_undecoded(json.dumps(tree).encode(), tuple(path))
    assert (None if found is None else json.loads(found)) == walk(tree, tuple(path))


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[1]", b"7", b"[" * 10_000])
def test_what_is_no_object_holds_nothing(data):
    assert walk_undecoded(data, ("a",)) is None


@pytest.mark.parametrize(
    ("name", "expected"), [("sesions", 'did you mean "{sessions}"?'), ("xyz", "say sessions"), ("", "say sessions")]
)
def test_a_misspelt_name_is_told_the_nearest_known_one_or_something_else(name, expected):
    assert did_you_mean(name, ["rooms", "sessions"], "say sessions", like="{{{}}}") == expected


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("romm", "room"),
        ("idd", "id"),
        ("jtw", "jwt"),
        ("SESSIONS", "sessions"),
        ("throttel_per_s", "throttle_per_s"),
        ("throttle-per-s", "throttle_per_s"),
        ("per", "per_s"),
        ("rate", "rate_per_s"),
        ("secret_env", "token_env"),
        ("expected_close", "expected_closes"),
    ],
)
def test_a_slip_or_half_of_the_words_is_near(name, known):
    assert known in did_you_mean(name, [known, "something_else"])


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("recovers", "throttle_codes"),
        ("recovers", "reconnect"),
        ("recovers", "ordered"),
        ("url", "rules"),
        ("id", "idle_s"),
        ("x", "y"),
        ("hook", "how"),
        ("wait", "at_s"),
        ("a_b_c_s", "d_e_f_s"),
        ("figures.foo.bar", "figures.response.all"),
        ("", "s"),
    ],
)
def test_a_few_letters_in_common_are_not_near(name, known):
    assert did_you_mean(name, [known], "none is near") == "none is near"


def test_of_several_that_are_near_the_nearest_is_named():
    assert "max_attempts" in did_you_mean("max_attempt", ["max_s", "max_attempts", "attempts"])
