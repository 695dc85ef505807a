"""The plans that README and docs/plan.md show are valid, and the guide's steps add up to one plan."""

import re
import tomllib
from pathlib import Path

import pytest

from harness.plan import build_plan

ROOT = Path(__file__).parents[2]


def blocks(page, until=None):
    """The TOML blocks of a page, as far as a heading."""
    text = (ROOT / page).read_text().partition(until or "\0")[0]
    return [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]


def merged(tables):
    """The tables laid over each other, as a reader who edits one file does."""
    whole = {}
    for table in tables:
        for key, value in table.items():
            inside = isinstance(value, dict) and isinstance(whole.get(key), dict)
            whole[key] = merged([whole[key], value]) if inside else value
    return whole


def test_the_plan_in_the_readme_is_valid():
    (plan,) = blocks("README.md")
    assert build_plan(plan).load.sessions == 200


@pytest.mark.parametrize("steps", [2, 3, 4, 5, 6])
def test_the_guide_gives_a_valid_plan_after_every_step(steps):
    tables = blocks("docs/plan.md", "## Reference")
    assert len(tables) == 6
    plan = build_plan(merged(tables[:steps]))
    assert plan.endpoint.json is not None
    assert bool(plan.observe.url) == (steps == 6)
