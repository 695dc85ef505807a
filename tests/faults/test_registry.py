"""The registry: what faults there are, what a plan may say for each, and no fault without a handler."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.errors import PlanError
from harness.faults.fault import HANDLERS, Fault, fault
from harness.plan import build_plan
from harness.plan.chaos import Act, Drop
from harness.plan.fault_registry import discover, faults, kind_of
from reports.faults import FIRST, Faults
from reports.manifest import FaultKind

ROOT = Path(__file__).parents[2]
WHEN = {"at_s": 1.0, "count": 1}
SEEN = {"summary": "-", "kernel_sees": "-", "code_sees": "-"}


def plan_of(**table):
    return build_plan({"chaos": [WHEN | table]})


def test_the_numbers_of_the_first_faults_stay_for_ever():
    kinds = [(kind.number, kind.name, kind.takes_connection) for kind in faults().values()]
    assert kinds[:7] == [(number, kind.label, kind.drops) for number, kind in FIRST.items()]
    assert len({number for number, _, _ in kinds}) == len(kinds)


def test_every_fault_has_a_handler_and_a_plan_that_asks_for_it():
    assert set(HANDLERS) == set(faults())
    for kind in faults().values():
        (act,) = plan_of(fault=kind.tag, **({} if kind.tag == kind.name else {"how": kind.name})).chaos
        assert kind_of(act) is kind
        assert type(act) is kind.options


def test_a_plan_written_down_and_read_again_is_the_same():
    chaos = [
        {"fault": "drop", "how": "stall", "hold_s": 3.0, "every_s": 2.0, "share": 0.5},
        {"fault": "burst", "messages": 3, **WHEN},
    ]
    plan = build_plan({"chaos": chaos})
    again = build_plan({"chaos": plan.masked()["chaos"]})
    assert again.chaos == plan.chaos
    assert again.digest() == plan.digest()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, [r"chaos\[0\].fault", "burst", "drop", "malformed"]),
        ({"fault": "brust"}, [r"chaos\[0\].fault", '"brust"', 'mean "burst"']),
        ({"fault": "half-open"}, [r"chaos\[0\].fault", 'fault = "drop", how = "half-open"']),
        ({"fault": "drop"}, [r"chaos\[0\].how", "close, fin, half-open, reset, stall"]),
        ({"fault": "drop", "how": "rest"}, [r"chaos\[0\].how", 'mean "reset"', "close, fin"]),
        ({"fault": "drop", "how": []}, [r"chaos\[0\].how", "close, fin"]),
        ({"fault": "drop", "how": "reset", "hold_s": 1.0}, [r"chaos\[0\].hold_s"]),
        ({"fault": "drop", "how": "stall", "hold_s": 0.0}, [r"chaos\[0\].hold_s", "> 0"]),
        ({"fault": "burst", "mesages": 3}, [r"chaos\[0\].mesages", 'mean "messages"']),
        ({"fault": "burst", "messages": "x"}, [r"chaos\[0\].messages", "'x'"]),
        ({"fault": "burst", "at_s": None}, [r"chaos\[0\]", "at_s"]),
        ({"fault": "burst", "share": 0.5}, [r"chaos\[0\]", "count", "share"]),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(table, words):
    for each in words:
        with pytest.raises(PlanError, match=each):
            plan_of(**table)


@pytest.mark.parametrize("chaos", [{"fault": "burst"}, ["burst"], "burst", 3])
def test_what_is_no_list_of_tables_is_refused(chaos):
    with pytest.raises(PlanError, match="chaos"):
        build_plan({"chaos": chaos})


def test_a_plan_of_thirty_years_is_read_without_listing_its_faults():
    plan = build_plan({"load": {"duration_s": 1e9}, "chaos": [{"fault": "burst", "every_s": 0.001, "count": 1}]})
    assert next(plan.chaos[0].times_s(plan.load_end_s)) == 0.001


def test_a_fault_that_does_not_inject_cannot_be_registered():
    with pytest.raises(TypeError, match="no inject"):

        @fault("idle", number=99, options=Drop, **SEEN)
        class Idle(Fault[Drop]):
            pass

    assert "idle" not in HANDLERS


def test_a_fault_that_holds_a_connection_must_let_go_of_it():
    with pytest.raises(TypeError, match="no lift"):

        @fault("clinging", number=99, options=Drop, holds_connection=True, **SEEN)
        class Clinging(Fault[Drop]):
            def inject(self):
                pass


class Nameless(Act, frozen=True, kw_only=True, tag_field="fault", tag="nameless"):
    pass


@pytest.mark.parametrize(
    ("name", "number", "options"), [("stall", 99, Drop), ("other", 5, Drop), ("other", 99, Nameless)]
)
def test_a_name_or_number_that_is_taken_or_that_no_plan_leads_to_is_refused(name, number, options):
    with pytest.raises(TypeError):

        @fault(name, number=number, options=options, **SEEN)
        class Other(Fault[Act]):
            def inject(self):
                pass

    assert "other" not in HANDLERS


def test_a_module_that_registers_no_fault_is_an_import_error(tmp_path, monkeypatch):
    package = tmp_path / "package_of_faults"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "forgotten.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="forgotten"):
        discover("package_of_faults")
    discover("package_of_faults", machinery=["forgotten"])


def test_reading_a_plan_imports_neither_sockets_nor_an_event_loop():
    code = """
        import sys
        from harness.plan import build_plan
        from harness.plan.fault_registry import faults
        faults()
        print([name for name in ("gevent", "locust", "websockets", "numpy", "jsonschema_rs") if name in sys.modules])
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_reports_read_the_faults_from_the_manifest_and_know_those_of_runs_before():
    old = Faults(None)
    assert [old.label(number) for number in old.drops] == ["close", "fin", "reset", "half-open", "stall"]
    assert old.provoking == [old.number("burst")] == [6]
    new = Faults({3: FaultKind("cut", True), 9: FaultKind("loss", False)})
    assert (new.drops, new.label(9), new.number("burst")) == ([3], "loss", -1)
