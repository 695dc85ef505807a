"""A generator that is held up says so, names the process and the seconds, and does not blame the endpoint."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from harness.record.run_directory import open_run
from reports import words
from tests.integration.test_endings import recorded
from tests.waiting import until
from tests.wording import says

pytestmark = pytest.mark.slow(reason="whole runs of a generator that is held up")

LOCUSTFILE = Path(__file__).parents[2] / "locustfile.py"
HELD_S = 0.4


def hold(pid, times=3):
    for _ in range(times):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(HELD_S)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.6)


def test_a_generator_that_was_stopped_is_unfit_and_the_endpoint_is_not_blamed(squall):
    process = squall.start_run("--sessions", 20, "--rooms", 10, "--rate", 10, "--duration", 8)
    until(lambda: recorded(squall))
    hold(process.pid)
    run = squall.wait(process)
    fitness, figures = run.complete_report["fitness"], run.report["figures"]
    assert fitness["verdict"] == "unfit"
    assert sum(says(words.SENT_LATE, reason) for reason in fitness["reasons"]) == 1, fitness["reasons"]
    assert fitness["lag_p99_ms"] > fitness["limits"]["lag_p99_ms"]
    assert set(fitness["processes"][0]["unfit_seconds"]["lag"]) <= set(fitness["unfit_seconds"]) != set()
    assert fitness["processes"][0]["loop_lag_max_ms"] >= HELD_S * 1000 - 150
    assert fitness["missed"] == 0
    # What was late is in lag and response, and not in service: the kernel stamped what came while we stood still.
    lag, service, response = (figures[name]["all"] for name in ("lag", "service", "response"))
    assert lag["p99"] > HELD_S * 1000 / 2
    assert response["p99"] >= lag["p99"] * 0.9
    assert service["p95"] < lag["p99"] / 2, (service, lag)
    assert run.findings == {}
    assert "warning: " in run.err  # and it was said while it happened


def test_one_sick_worker_of_two_is_found(squall, two_processes):
    plan = squall.out / "plan.toml"
    plan.write_text("[load]\nrate_per_s = 10.0\nrooms = 10\n")
    out = {"SQUALL_OUT": str(squall.out / "runs"), "SQUALL_PLAN": str(plan)}
    process = squall.start(
        "-f", LOCUSTFILE, "--headless", "-u", 20, "-r", 20, "-t", "9s", *two_processes, module="locust", env=out
    )
    path = until(lambda: recorded(squall, shards=2))
    warnings = next(shard for shard in open_run(path).shards if shard.rank == 1)
    hold(int(warnings.path.stem.split("-")[2]))
    done = squall.wait(process)
    assert "process 1: " in done.err + done.out
    squall("report", path)
    fitness = json.loads((path / "report.json").read_text())["fitness"]
    its = words.OF_PROCESS.format(process=1, reason=words.SENT_LATE)
    assert any(says(its, reason) for reason in fitness["reasons"]), fitness["reasons"]
    healthy, held = fitness["processes"]
    assert held["lag_p99_ms"] > 2 * healthy["lag_p99_ms"]


STUCK = """
import time
import gevent
from squall import RealtimeUser, task


class StuckUser(RealtimeUser):
    def on_connect(self):
        self.join(self.room)

    @task
    def say(self):
        due = self.pace()
        self.publish(self.room, self.text, due)
        if self.client.n >= 10:
            gevent.sleep(3600)
"""


def test_a_crowd_that_blocks_in_its_first_message_leaves_nobody_out(squall):
    scenario = squall.out / "stuck.py"
    scenario.write_text(STUCK.replace(">= 10", ">= 1"))
    run = squall.run(
        "--set", f"load.scenario={scenario}", "--sessions", 4, "--rooms", 2, "--rate", 10, "--duration", 4,
        "--set", "load.sessions_per_user=4",
    )  # fmt: skip
    assert "warning: " in run.err
    fitness = run.report["fitness"]
    assert (fitness["planned"], fitness["sent"], fitness["missed"]) == (160, 1, 159)


def test_a_scenario_that_stands_still_is_told_while_it_does_and_what_it_never_sent_is_counted(squall):
    scenario = squall.out / "stuck.py"
    scenario.write_text(STUCK)
    run = squall.run(
        "--set", f"load.scenario={scenario}", "--sessions", 4, "--rooms", 2, "--rate", 10, "--duration", 6
    )  # fmt: skip
    assert run.complete_report["fitness"]["verdict"] == "unfit"
    assert "warning: " in run.err
    fitness = run.report["fitness"]
    assert (fitness["planned"], fitness["sent"], fitness["missed"]) == (240, 40, 200)
    assert any(says(words.SENT_LESS.format(missed=200, planned=240), reason) for reason in fitness["reasons"])
