"""Generated parts of the documents: where they are, and that the documents have them as the code makes them."""

import re

import pytest

from harness.endpoint.defects import REGISTRY as DEFECTS
from harness.plan.fault_registry import faults
from reports.build import rules
from reports.figures import FIGURES
from squall import docs
from squall.docs import ROOT, pages, parts, rendered, stale


def test_no_document_is_stale():
    assert stale() == [], "run python -m squall.docs"


@pytest.mark.parametrize("name", parts())
def test_every_part_is_in_one_document(name):
    assert len([path for path in pages() if f"<!-- {name} -->\n" in path.read_text()]) == 1


def test_a_changed_cell_makes_a_document_stale(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    for path in pages():
        (tmp_path / path.relative_to(ROOT)).write_text(path.read_text())
    report = tmp_path / "docs" / "report.md"
    report.write_text(report.read_text().replace("`response`", "`responses`"))
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    assert stale() == [report]
    docs.main()
    assert stale() == []


def test_the_readme_counts_what_there_is():
    part = (ROOT / "README.md").read_text().split("<!-- counts -->")[1].split("<!-- /counts -->")[0]
    assert [int(number) for number in re.findall(r"\d+", part)] == [
        len(faults()), len(rules()), len(FIGURES), len(DEFECTS)
    ]  # fmt: skip


def test_what_is_between_the_comments_is_replaced_and_nothing_else():
    text = rendered(
        "before\n<!-- faults -->\nof before\n<!-- /faults -->\nafter <!-- other -->\nkept\n<!-- /other -->\n"
    )
    assert text.startswith("before\n<!-- faults -->\n| number |")
    assert text.endswith("|\n<!-- /faults -->\nafter <!-- other -->\nkept\n<!-- /other -->\n")
    assert "of before" not in text
    assert rendered(text) == text


def test_every_fault_is_in_the_table_with_its_options():
    table = parts()["faults"]
    numbers = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    assert numbers == [f"| {kind.number}" for kind in faults().values()]
    assert '`fault = "drop"`, `how = "half-open"`, `hold_s` |' in table
    assert '`fault = "burst"`, `messages = 50` |' in table
