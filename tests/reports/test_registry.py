"""A section, a finding or a view that does not fit the report is an error at import, not in a run."""

import msgspec
import pytest

from reports import registry
from reports.registry import Clean, Found, Known, NotJudged, call, check, found, named
from reports.rows import Rows
from reports.sections.ledger import Ledger


class Small(msgspec.Struct, frozen=True):
    format: int
    ledger: Ledger
    half: int


@pytest.fixture
def empty(monkeypatch):
    monkeypatch.setattr(registry, "SECTIONS", {})
    monkeypatch.setattr(registry, "RULES", {})

    @registry.section("ledger")
    def ledger(rows: Rows) -> Ledger:
        raise NotImplementedError


def half_of(annotation, result=int):
    def half(ledger):
        return 1

    half.__annotations__ = {"ledger": annotation, "return": result}
    return half


def test_a_section_that_fits_is_accepted(empty):
    registry.section("half")(half_of(Ledger))
    check(Small, frozenset(["format"]))


@pytest.mark.parametrize(("annotation", "result"), [(int, int), (Ledger, str)])
def test_a_type_that_differs_is_an_error(empty, annotation, result):
    registry.section("half")(half_of(annotation, result))
    with pytest.raises(TypeError, match="half"):
        check(Small, frozenset(["format"]))


def test_a_field_without_a_section_is_an_error(empty):
    with pytest.raises(TypeError, match="half"):
        check(Small, frozenset(["format"]))


def test_a_finding_that_names_no_section_is_an_error(empty):
    registry.section("half")(half_of(Ledger))
    registry.finding("odd", section="nowhere", meaning="", sentence="")(lambda: None)
    with pytest.raises(TypeError, match="nowhere"):
        check(Small, frozenset(["format"]))


def test_a_name_is_registered_once(empty):
    with pytest.raises(TypeError, match="twice"):
        registry.section("ledger")(half_of(Ledger))


def test_what_a_section_needs_is_computed_before_it_and_once(empty, monkeypatch):
    calls = []

    @registry.section("first")
    def first(rows: object) -> int:
        calls.append(rows)
        return 1

    @registry.section("second")
    def second(first: int) -> int:
        return first + 1

    known = Known("a directory", "the rows")
    assert (known["second"], known["first"]) == (2, 1)
    assert calls == ["the rows"]
    assert call(lambda second, first: second * 10 + first, known) == 21


def test_a_verdict_has_three_values():
    assert found(0, 1, "frames") == Clean(1, "frames")
    made = Found(count=3, looked_at=9, of="deliveries", first_s=1.5, values={"owed": 9})
    assert found(3, 9, "deliveries", first_s=1.5, owed=9) == made
    assert isinstance(found(0, 0, "frames"), NotJudged)


@pytest.mark.parametrize("looked_at", [0, -1])
def test_what_looked_at_nothing_is_not_clean(looked_at):
    with pytest.raises(ValueError, match="frames"):
        Clean(looked_at, "frames")


def test_a_few_numbers_in_words():
    assert named("room", [3, 1, 3]) == "rooms 1, 3"
    assert named("room", [7]) == "room 7"
    assert named("session", range(8)) == "sessions 0, 1, 2, 3, 4 and 3 more"
