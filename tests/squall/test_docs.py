"""Generated tables: where they stand, and that the documents have them as the code makes them."""

import pytest

from harness.plan.fault_registry import faults
from squall.docs import TABLES, pages, rendered, stale


def test_no_document_is_stale():
    assert stale() == [], "run python -m squall.docs"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_in_a_document(name):
    assert [path.name for path in pages() if f"<!-- {name} -->\n" in path.read_text()]


def test_what_is_between_the_comments_is_replaced_and_nothing_else():
    text = rendered(
        "before\n<!-- faults -->\nof before\n<!-- /faults -->\nafter <!-- other -->\nkept\n<!-- /other -->\n"
    )
    assert text.startswith("before\n<!-- faults -->\n| number |")
    assert text.endswith("|\n<!-- /faults -->\nafter <!-- other -->\nkept\n<!-- /other -->\n")
    assert "of before" not in text
    assert rendered(text) == text


def test_every_fault_is_in_the_table_with_its_options():
    table = TABLES["faults"]()
    numbers = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    assert numbers == [f"| {kind.number}" for kind in faults().values()]
    assert '`fault = "drop"`, `how = "half-open"`, `hold_s` |' in table
    assert '`fault = "burst"`, `messages = 50` |' in table
