"""The same scenario under Locust's own command line."""

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.record.row import DTYPE, ROW_BYTES, Kind, Outcome
from harness.record.run_directory import open_run
from tests.integration.loose import LOOSE_PLAN
from tests.integration.raising import raises_at

pytestmark = pytest.mark.slow(reason="whole runs under Locust, some in several processes")

LOCUSTS_PORT = 5557
LOCUSTFILE = Path(__file__).parents[2] / "locustfile.py"


@pytest.fixture
def locust(squall, tmp_path):
    def start(*arguments, file=LOCUSTFILE, **environment):
        env = {"SQUALL_OUT": str(tmp_path / "runs"), **environment}
        return squall.start("-f", file, *arguments, module="locust", env=env)

    return squall, start


def rows_of(shard):
    return np.fromfile(shard.path, np.dtype(DTYPE), offset=ROW_BYTES)


@pytest.mark.parametrize("processes", [1, 2])
def test_headless_gives_one_run_directory_with_a_shard_a_process(locust, processes, two_processes):
    squall, start = locust
    plan = squall.out / "plan.toml"
    plan.write_text("[load]\nrate_per_s = 5.0\nramp_s = 0.5\n" + LOOSE_PLAN)
    more = two_processes if processes > 1 else ()
    done = squall.wait(start("--headless", "-u", 21, "-r", 20, "-t", "14s", *more, SQUALL_PLAN=str(plan)))
    assert done.code == 0, done.err
    (path,) = (squall.out / "runs").glob("*")
    run = open_run(path)
    assert (run.status, run.warnings) == ("complete", ())
    assert len(run.shards) == processes
    rows = [rows_of(shard) for shard in run.shards]
    sessions = [set(found["session"][found["kind"] == Kind.OPEN]) for found in rows]
    assert sum(map(len, sessions)) == len(set().union(*sessions)) == 21
    published = np.concatenate(rows)
    published = published[published["kind"] == Kind.PUBLISH]
    assert set(published["session"]) == set(range(21))
    assert set(published["outcome"]) == {Outcome.OK}
    assert "publish" in done.out + done.err


@pytest.mark.parametrize("per_user", [1, 3])
def test_users_that_workers_cannot_share_evenly_are_all_the_sessions_there_are(locust, per_user, two_processes):
    squall, start = locust
    plan = squall.out / "plan.toml"
    plan.write_text(
        f'[load]\nscenario = "ticker"\nsessions_per_user = {per_user}\nrooms = 100\nrate_per_s = 5.0\n'
        'settle_s = 1.0\n[[chaos]]\nfault = "drop"\nhow = "reset"\nat_s = 5.0\nshare = 1.0\n' + LOOSE_PLAN
    )
    done = squall.wait(start("--headless", "-u", 5, "-r", 5, "-t", "8s", *two_processes, SQUALL_PLAN=str(plan)))
    assert done.code == 0, done.err
    (path,) = (squall.out / "runs").glob("*")
    squall("report", path)
    done.out = str(path)
    report, rows = done.complete_report, [rows_of(shard) for shard in open_run(path).shards]
    assert report["run"]["sessions"] == 5 * per_user
    assert report["fitness"]["never_opened"] == 0
    opened = [set(found["session"][(found["kind"] == Kind.OPEN) & (found["outcome"] == Outcome.OK)]) for found in rows]
    assert list(map(len, opened)) == [3 * per_user, 2 * per_user]
    assert set.union(*opened) == set(range(5 * per_user))
    faults = np.concatenate([found[found["kind"] == Kind.FAULT] for found in rows])
    assert set(faults["session"]) == set(range(5 * per_user))
    # Every room has its leader, and hears it.
    delivered = np.concatenate([found[found["kind"] == Kind.DELIVERY] for found in rows])
    assert set(delivered["room"]) == set(range(5 * per_user))


def test_workers_meet_at_a_port_of_their_own_where_locusts_usual_one_is_taken(locust):
    squall, start = locust
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # somebody else has it: just as well
            held.enter_context(socket.create_server(("127.0.0.1", LOCUSTS_PORT)))
        done = squall.wait(start("--headless", "-u", 4, "-r", 4, "-t", "3s", "--processes", 2))
    (path,) = (squall.out / "runs").glob("*")
    run = open_run(path)
    assert (run.status, len(run.shards)) == ("complete", 2), done.err


FORKS = [
    (["--processes", "2"], {}, True),
    (["--processes=2"], {}, True),
    ([], {"LOCUST_PROCESSES": "2"}, True),
    (["--processes", "2", "--worker"], {}, False),
    (["--processes", "2"], {"LOCUST_MODE_WORKER": "1"}, False),
    (["--master"], {}, False),
]


def test_only_a_master_with_workers_of_its_own_changes_the_port():
    """In a process of its own: it imports Locust."""
    code = f"from harness.engine.locust_options import forks; print([forks(*given) for *given, _ in {FORKS!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([forks for *_, forks in FORKS])


@pytest.mark.parametrize("processes", [1, 2])
def test_a_task_that_raises_fails_the_run_in_one_line(locust, processes, two_processes):
    squall, start = locust
    scenario, plan = squall.out / "raises.py", squall.out / "plan.toml"
    scenario.write_text(raises_at(3))
    plan.write_text(f'[load]\nscenario = "{scenario}"\nrate_per_s = 5.0\nsettle_s = 0.5\n')
    more = two_processes if processes > 1 else ()
    done = squall.wait(start("--headless", "-u", 4, "-r", 4, "-t", "5s", *more, SQUALL_PLAN=str(plan)))
    assert done.code == 3, done.err
    assert "the scenario broke: ValueError: of the scenario (raises.py:12)" in done.err
    (path,) = (squall.out / "runs").glob("*")
    assert open_run(path).status == "failed"


IMPORTS_FOR_LONG = """
import time
from squall import run_under_locust

ends_s = time.monotonic() + 3
while time.monotonic() < ends_s:  # busy, as imports are: a sleep would let the loop look at the clock
    pass
Scenario = run_under_locust()
"""
WEB_UI = ("--web-port", 0, "--autostart", "--autoquit", 1)


@pytest.mark.parametrize("how", [("--headless",), WEB_UI], ids=["headless", "web UI"])
def test_a_run_lasts_as_long_as_it_was_given_however_long_the_locustfile_takes_to_import(locust, how):
    squall, start = locust
    slow = squall.out / "slow.py"
    slow.write_text(IMPORTS_FOR_LONG)
    plan = squall.out / "plan.toml"
    plan.write_text("[load]\nrate_per_s = 5.0\nramp_s = 0.5\n" + LOOSE_PLAN)
    done = squall.wait(start(*how, "-u", 5, "-r", 5, "-t", "4s", file=slow, SQUALL_PLAN=str(plan)))
    assert done.code == 0, done.err
    (path,) = (squall.out / "runs").glob("*")
    run = open_run(path)
    assert run.status == "complete"
    assert ("http://127.0.0.1" in done.err) == (how is WEB_UI)
    rows = np.concatenate([rows_of(shard) for shard in run.shards])
    assert set(rows["session"][rows["kind"] == Kind.PUBLISH]) == set(range(5))


FAILS_TO_JUDGE = """
from squall import RealtimeUser  # so that the scenarios are found
from harness.engine.locust_runner import run_under_locust

def judge(directory):
    raise ZeroDivisionError("of the report")

Scenario = run_under_locust(judge)
"""


def test_a_report_that_breaks_ends_locust_all_the_same_and_is_no_pass(locust):
    squall, start = locust
    file = squall.out / "fails.py"
    file.write_text(FAILS_TO_JUDGE)
    done = squall.wait(start("--headless", "-u", 2, "-r", 2, "-t", "3s", file=file))
    assert done.code == 3, done.err
    assert "ZeroDivisionError: of the report" in done.err
    (path,) = (squall.out / "runs").glob("*")
    assert open_run(path).status == "complete"


def test_a_wrong_plan_is_one_line_and_exit_code_2(locust):
    squall, start = locust
    done = squall.wait(start("--headless", "-u", 1, SQUALL_PLAN="no-such-plan"))
    assert done.code == 2
    assert "squall: there is no" in done.err
