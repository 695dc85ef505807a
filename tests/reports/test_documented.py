"""The page about report.json agrees with the registries and the structs."""

import json
from pathlib import Path

import msgspec
import pytest

from reports.build import ORDER
from reports.documented import comments, parts, structs_in
from reports.figures import FIGURES
from reports.registry import RULES, types_of
from reports.report import Report

PAGE = Path(__file__).parents[2] / "docs" / "report.md"


def every_struct(kind):
    for struct in structs_in(kind):
        if struct.__module__.startswith("reports") and struct.__module__ != "reports.manifest":
            yield struct
            for inner in types_of(struct).values():
                yield from every_struct(inner)


def test_every_figure_and_finding_is_on_the_page():
    page = PAGE.read_text()
    for name in (*FIGURES, *RULES, *ORDER):
        assert f"`{name}`" in page, name


def test_every_field_of_every_section_has_a_comment():
    structs = set(every_struct(Report))
    assert len(structs) > 20
    for struct in structs:
        assert comments(struct).keys() == set(struct.__struct_fields__), struct


def test_a_report_can_be_read_back_from_its_json(clean):
    report = clean.report()
    assert msgspec.to_builtins(msgspec.json.decode(json.dumps(report), type=Report)) == msgspec.to_builtins(
        msgspec.convert(report, Report)
    )


@pytest.mark.parametrize("name", [*parts()])
def test_no_cell_is_too_long(name):
    for line in parts()[name].splitlines():
        assert max(map(len, line.split(" | "))) <= 200, line
