"""Codes of any JSON type in the contract and in refusals, and closes that are refusals."""

import json
import tomllib

import pytest

from harness.errors import PlanError
from harness.plan import build_plan
from harness.record.codes import code_number
from harness.record.row import Closer, Flag, Outcome
from tests.fault_numbers import Fault

from .conftest import on_the_page, on_the_terminal
from .test_findings import found

CODES = [429, "429", "RATE_LIMITED", True, 4.5, -7, 0, {"b": 1, "a": ["x"]}, ["quota", 2], 2**40]


def contract(**more):
    return {"throttle_per_s": 10.0, "throttle_burst": 20, "malformed_codes": [400]} | more


@pytest.mark.parametrize("code", CODES, ids=str)
def test_a_throttle_code_of_any_type_is_recognised_in_a_burst(make, code):
    run = make(contract=contract(throttle_codes=[503, code])).member(0, 1).fault(0, Fault.BURST, 4000)
    for seq in range(1, 31):
        outcome, number = (Outcome.OK, 0) if seq <= 20 else (Outcome.REJECTED, code_number(code))
        run.publish(0, seq, 4000 + seq, outcome, code=number, flags=Flag.BURST, due=4000)
        if outcome is Outcome.OK:
            run.deliver(0, 0, seq, 4050).deliver(1, 0, seq, 4050)
    report = run.report()
    assert found(report) == {}
    assert report["rejections"]["throttle"]["throttled"] == 10


@pytest.mark.parametrize("code", [code for code in CODES if code != 0], ids=str)
def test_a_code_that_the_contract_does_not_name_is_another(make, code):
    run = make(contract=contract(throttle_codes=["OTHER", 1, False])).member(0, 1)
    report = run.publish(0, 1, 2000, Outcome.REJECTED, code=code_number(code)).report()
    assert found(report) == {"wrongly-rejected": 1}


@pytest.mark.parametrize(
    ("promised", "code", "finding"),
    [
        (["BAD"], "BAD", {}),
        (["BAD"], "bad", {"wrong-code": 1}),
        (["BAD"], None, {"wrong-code": 1}),
        ([0], None, {}),
        ([{"why": "schema"}], {"why": "schema"}, {}),
        ([], 400, {"wrong-code": 1}),
        ([True], 1, {"wrong-code": 1}),
    ],
    ids=str,
)
def test_a_malformed_code_of_any_type_is_recognised(make, promised, code, finding):
    run = make(contract=contract(malformed_codes=promised)).member(0, 1).fault(0, Fault.MALFORMED, 3000)
    run.probe(0, 1, 3000, code=code_number(code)).publish(1, 1, 5000).deliver(0, 1, 1, 5003).deliver(1, 1, 1, 5003)
    assert found(run.report()) == finding


def refused(run, code):
    run.recorder.name_code(code_number(code), 1)
    return run.member(0, 1).publish(0, 1, 2000, Outcome.REJECTED, code=int(code_number(code)))


@pytest.mark.parametrize(
    ("code", "shown"),
    [("ROOM_FULL", "ROOM_FULL"), (True, "true"), (4.5, "4.5"), ({"a": 1}, '{"a":1}'), (418, "418"), (None, "none")],
    ids=str,
)
def test_reports_show_the_code_itself(make, code, shown):
    report = refused(make(), code).report()
    assert report["rejections"]["wrongly_rejected"]["by_code"] == {shown: 1}
    assert shown in report["findings"][0]["text"]
    assert shown in on_the_terminal(report)
    assert json.dumps(shown)[1:-1] in json.dumps(report)
    assert not any(line.get("kind") == "code" for line in report["evidence"])


def test_the_page_shows_the_code_itself(make):
    assert "ROOM_FULL" in on_the_page(refused(make(), "ROOM_FULL").report())


def test_a_code_of_the_contract_is_named_by_the_plan_even_without_evidence(make):
    run = make(contract=contract(malformed_codes=["BAD"])).member(0, 1)
    report = run.publish(0, 1, 2000, Outcome.REJECTED, code=int(code_number("BAD"))).report()
    assert report["rejections"]["wrongly_rejected"]["by_code"] == {"BAD": 1}


def test_a_code_whose_name_was_not_kept_is_still_told_from_others(make):
    run = make().member(0, 1)
    for seq, code in ((1, "A"), (2, "B"), (3, "A")):
        run.publish(0, seq, 2000 + seq, Outcome.REJECTED, code=int(code_number(code)))
    assert sorted(run.report()["rejections"]["wrongly_rejected"]["by_code"].values()) == [1, 2]


ENDS = [
    (Closer.ENDPOINT, 1005, 1005),
    (Closer.FIN, 1006, 1006),
    (Closer.RESET, 104, 1006),
    (Closer.ENDPOINT, 4321, 4321),
]


@pytest.mark.parametrize(("closer", "code", "named"), ENDS)
@pytest.mark.parametrize("is_named", [False, True])
def test_a_close_after_a_burst_is_a_refusal_if_the_contract_names_it(make, closer, code, named, is_named):
    run = (
        make(contract=contract(throttle_codes=[named] if is_named else [429])).member(0, 1).fault(0, Fault.BURST, 3000)
    )
    for seq in range(1, 31):
        run.publish(0, seq, 3000, Outcome.CLOSED, flags=Flag.BURST)
    run.close(0, 3010, closer=closer, code=code).publish(1, 1, 6000).deliver(1, 1, 1, 6003)
    assert found(run.report()) == ({} if is_named else {"throttled-silently": 1})


@pytest.mark.parametrize(("closer", "code", "named"), ENDS)
@pytest.mark.parametrize("is_named", [False, True])
def test_a_close_after_a_malformed_payload_is_a_refusal_if_the_contract_names_it(make, closer, code, named, is_named):
    run = make(contract=contract(malformed_codes=[400, named] if is_named else [400])).member(0, 1)
    run.fault(0, Fault.MALFORMED, 3000).probe(0, 1, 3000, Outcome.CLOSED, code=code)
    run.close(0, 3010, closer=closer, code=code).publish(1, 1, 6000).deliver(1, 1, 1, 6003)
    assert found(run.report()) == ({} if is_named else {"wrong-code": 1})


@pytest.mark.parametrize(
    ("messages", "every_ms", "finding"),
    [
        (0, 1, {"unexpected-close": 1}),
        (5, 1, {"unexpected-close": 1}),  # not even half of the promised size
        (9, 1, {"unexpected-close": 1}),  # with the join, as many as a bucket of half the promised size holds
        (10, 1, {}),  # one more
        (38, 50, {}),  # 20 per second where 10 are promised, as long as a full bucket allows it
        (40, 200, {"unexpected-close": 1}),  # 5 per second
    ],
)
def test_a_close_with_a_throttle_code_is_expected_where_the_bucket_may_have_been_empty(
    make, messages, every_ms, finding
):
    run = make(contract=contract(throttle_codes=[429, 4429])).open(0).join(0, at=2990)
    for seq in range(1, messages + 1):
        run.publish(0, seq, 3000 + seq * every_ms).deliver(0, 0, seq, 3001 + seq * every_ms)
    run.close(0, 3010 + messages * every_ms, closer=Closer.ENDPOINT, code=4429)
    report = run.report()
    assert found(report) == finding
    assert report["closes"]["expected"] == ({} if finding else {"throttled": 1})


def test_without_a_promised_throttle_a_close_with_its_code_is_a_refusal_all_the_same(make):
    run = make(contract={"throttle_codes": [4429]}).member(0).publish(0, 1, 3000).deliver(0, 0, 1, 3001)
    report = run.close(0, 4000, closer=Closer.ENDPOINT, code=4429).report()
    assert report["closes"]["expected"] == {"throttled": 1}


@pytest.mark.parametrize("key", ["throttle_codes", "malformed_codes"])
@pytest.mark.parametrize("value", ["2026-11-26", "[1979-05-27]", "nan", "{ at = 07:32:00 }"])
def test_a_code_that_json_does_not_know_is_refused(key, value):
    codes = tomllib.loads(f"codes = [{value}]")["codes"]
    with pytest.raises(PlanError, match=f"contract.{key}"):
        build_plan({"contract": {key: codes}})


def test_codes_of_any_type_survive_the_run_directory():
    plan = build_plan({"contract": {"throttle_codes": CODES}, "reconnect": {"terminal_codes": ["BANNED", 403]}})
    written = json.loads(json.dumps(plan.masked()))
    assert written["contract"]["throttle_codes"] == CODES
    assert written["reconnect"]["terminal_codes"] == ["BANNED", 403]
