"""The words of documents and code: docs/glossary.md decides them, and the words that it replaced do not come back.

To watch one more word, add a pattern to PROSE (documents) or CODE (modules and templates); nothing else is needed.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST_CELL = 200

EXEMPT = ("docs/glossary.md",)
"""It lists the replaced words."""

RENAMED = re.compile(r"^## Renamed fields\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
"""A section of docs/report.md that maps the old names of fields to the new ones."""

REPLACED = (
    r"casting|\bcast\b",
    r"\bsolo\b",
    r"\bswarm\b",
    r"\bvitals\b",
    r"courtesy copy",
    r"\bstrok\w+|\bstruck\b|\bstrikes?\b",
    r"\buntouched\b|\bfaulted\b",
    r"\bconductor\b",
    r"\bminted\b",
    r"\bby[_ ]way\b",
    r"\bnoticed\b|\bunnoticed\b|\bunseen\b",
    r"\bbent\b",
    r"how-manieth",
)
"""The last table of the glossary, as far as a word of it has no other meaning."""

ARCHAIC = (
    r"\banew\b",
    r"\bfor want of\b",
    r"\bof use\b",
    r"\bso (?:many|long|much) (?:ms|seconds|messages|KiB|later|after)\b",
    r"\b(?:is|are|was|were) (?:told|said)\b",
    r"\bbears?\b|\bwhosoever\b|\bwhoever\b",
    r"\b(?:messages?|openings?|connects?|deliver(?:y|ies)|ticks?|readings?|round trips?|bytes) a (?:second|minute)\b",
    r"\bmust not know\b",
    r"\bthe subtle thing\b",
    r"\blies? (?:over|with|beside)\b",
    r"\bstands? (?:in|for|beside|apart|there|under)\b",
)
"""Expressions that no engineer would say aloud."""

PROSE = REPLACED + ARCHAIC

CODE = (
    r"\bcasting\b",
    r"\bconductor\b",
    r"\bsolo\b",
    r"\bswarm\b",
    r"\bvitals\b",
    r"\bwrongs\b",
    r"\bcourtesy\b",
    r"\bminted\b",
    r"\bbent\b",
    r"how-manieth",
    r"\bstrok\w+|\bstruck\b|\bstrikes?\b",
    r"\b(?:untouched|faulted|noticed|unnoticed)\b(?!\":)",
    r"(?-i:\bDESIGN\b)",
    *ARCHAIC,
)
"""Words that modules and templates no longer contain; a quoted key is one of the old names of `reports.budget`."""

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
MODULES = sorted(
    path
    for package in ("harness", "squall", "reports", "scenarios")
    for path in (ROOT / package).rglob("*")
    if path.suffix in (".py", ".jinja")
)


def prose(document):
    """The text of a document, without what is exempt."""
    return "" if str(document.relative_to(ROOT)) in EXEMPT else RENAMED.sub("", document.read_text())


def found(pattern, paths, read):
    """Every match as `file:line: words`."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in paths
        for number, line in enumerate(read(path).splitlines(), 1)
        for match in re.finditer(pattern, line, re.IGNORECASE)
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_table_cell_is_longer_than_a_reader_takes_in(document):
    rows = [line for line in document.read_text().splitlines() if line.startswith("|")]
    cells = [cell.strip() for row in rows for cell in re.split(r"(?<!\\)\|", row)]
    assert [cell for cell in cells if len(cell) > LONGEST_CELL] == []


@pytest.mark.parametrize("pattern", PROSE)
def test_documents_use_the_words_of_the_glossary(pattern):
    assert found(pattern, DOCUMENTS, prose) == []


@pytest.mark.parametrize("pattern", CODE)
def test_code_uses_the_words_of_the_glossary(pattern):
    assert found(pattern, MODULES, Path.read_text) == []


def test_a_replaced_word_is_found(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("Sessions are\nuntouched by it.\n")
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    assert found(REPLACED[6], [page], prose) == ["page.md:2: untouched"]
