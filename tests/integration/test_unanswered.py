"""Endpoints that do not answer: each request that has no answer is counted, by the count of the server."""

import signal
from pathlib import Path

import pytest

from harness.record.run_directory import open_run
from tests.integration.liar import Liar
from tests.integration.loose import LOOSE_PLAN
from tests.waiting import until

pytestmark = pytest.mark.slow(reason="whole runs against small servers")

LOCUSTFILE = Path(__file__).parents[2] / "locustfile.py"


@pytest.fixture
def run_against(squall):
    def run(liar, load="", order="any", *options):
        plan = squall.out / "plan.toml"
        plan.write_text(liar.plan(load, order) + LOOSE_PLAN)
        return squall.run(plan, "--no-check", *options)  # the server counts what the run asks

    return run


def last_third(op, before):
    return "silent" if op == "say" and before > 40 else "ok"


@pytest.mark.parametrize("load", ["", "sessions_per_user = 4\n"])
def test_an_endpoint_that_stops_answering_near_the_end_is_found_to_the_last_message(run_against, load):
    with Liar(last_third) as liar:
        run = run_against(liar, load)
    assert liar.did["silent"] > 10
    assert run.findings == {"unanswered": liar.did["silent"]}
    assert "closed" not in run.report["outcomes"]["publish"]


@pytest.mark.parametrize("processes", [1, 2])
def test_under_locust_no_message_is_forgotten_either(squall, processes, two_processes):
    more = two_processes if processes > 1 else ()
    with Liar(last_third) as liar:
        plan = squall.out / "plan.toml"
        plan.write_text(liar.plan() + LOOSE_PLAN)
        env = {"SQUALL_OUT": str(squall.out / "runs"), "SQUALL_PLAN": str(plan)}
        done = squall.wait(
            squall.start("-f", LOCUSTFILE, "--headless", "-u", 4, "-r", 4, *more, module="locust", env=env)
        )
    (path,) = (squall.out / "runs").glob("*")
    squall("report", path)
    done.out = str(path)
    assert done.report["run"]["status"] == "complete", done.err
    assert done.findings == {"unanswered": liar.did["silent"]}


@pytest.mark.parametrize("ops", [("enter",), ("say",), ("exit",), ("enter", "say", "exit")])
def test_a_kind_of_request_that_is_never_answered_is_found(run_against, ops):
    with Liar(lambda op, before: "silent" if op in ops else "ok") as liar:
        run = run_against(liar)
    assert run.findings["unanswered"] == liar.did["silent"] > 0


def test_an_endpoint_that_closes_instead_of_ever_answering_is_found_although_the_close_is_expected(run_against):
    with Liar(lambda op, before: "close") as liar:
        run = run_against(liar, "[contract]\nexpected_closes = [1001]\n")
    assert run.findings["unanswered"] == liar.did["close"] > 0


def test_an_endpoint_that_answers_everything_is_not_accused(run_against):
    with Liar() as liar:
        run = run_against(liar)
    assert run.findings == {}
    assert run.report["rejections"]["without_answer"]["unknown"] == 0


def test_an_interrupted_run_does_not_wait_and_says_that_it_does_not_know(squall):
    with Liar(lambda op, before: "ok" if op != "say" else "silent") as liar:
        plan = squall.out / "plan.toml"
        plan.write_text(liar.plan().replace("answer_timeout_s = 2.0", "answer_timeout_s = 60.0") + LOOSE_PLAN)
        process = squall.start_run(plan, "--no-check", "--duration", 60)
        until(lambda: liar.did["silent"] > 10)
        process.send_signal(signal.SIGINT)
        run = squall.wait(process)
    report = run.report
    assert (report["run"]["status"], run.findings) == ("interrupted", {})
    assert report["rejections"]["without_answer"]["unknown"] == liar.did["silent"]
    assert report["outcomes"]["publish"] == {"abandoned": liar.did["silent"]}
    assert open_run(run.path).status == "interrupted"


@pytest.mark.parametrize("late", [False, True])
def test_errors_without_an_id_are_found_as_many_as_came_and_nothing_is_called_lost(run_against, late):
    def answers(op, before):
        if op != "say":
            return "ok"
        if before % 7 == 0:
            return "nameless"
        return "late" if late and before % 3 == 0 and before < 40 else "ok"

    with Liar(answers) as liar:
        run = run_against(liar)
    assert run.findings.pop("wrongly-rejected", 0) <= liar.did["nameless"]
    found = {name: count for name, count in run.findings.items() if name != "wrongly-rejected"}
    assert found == {"error-without-id": liar.did["nameless"]}


def test_errors_with_their_ids_are_not_found(run_against):
    with Liar(lambda op, before: "no" if op == "say" and before % 7 == 0 else "ok") as liar:
        run = run_against(liar)
    assert run.findings == {"wrongly-rejected": liar.did["no"]}


def test_where_answers_come_in_order_they_need_no_ids(run_against):
    with Liar(lambda op, before: "nameless" if op == "say" and before % 7 == 0 else "ok") as liar:
        run = run_against(liar, order="fifo")
    assert run.findings == {"wrongly-rejected": liar.did["nameless"]}
    assert run.report["strays"]["errors_without_id"] == 0
