"""Many sessions to a user: the same scenario, the same ledger, whether a user owns one or twenty."""

from pathlib import Path

import numpy as np
import pytest

from harness.record.row import DTYPE, ROW_BYTES, Kind, Outcome
from harness.record.run_directory import open_run

pytestmark = pytest.mark.slow(reason="whole runs")

LOCUSTFILE = Path(__file__).parents[2] / "locustfile.py"
PLAN = """
name = "crowd"
seed = 5
[load]
sessions = 60
sessions_per_user = {per_user}
rooms = 6
rate_per_s = 2.0
ramp_s = 0.5
duration_s = 4.0
settle_s = 1.5
[reconnect]
first_s = 0.2
cap_s = 1.0
[[chaos]]
fault = "drop"
how = "reset"
at_s = 2.0
count = 9
[[chaos]]
fault = "drop"
how = "fin"
at_s = 3.0
count = 3
"""


def plan(squall, text):
    path = squall.out / "plan.toml"
    path.write_text(text)
    return path


def rows_of(path):
    run = open_run(path)
    return np.concatenate([np.fromfile(shard.path, np.dtype(DTYPE), offset=ROW_BYTES) for shard in run.shards])


@pytest.mark.parametrize("per_user", [1, 20])
def test_a_crowd_keeps_the_same_ledger_as_a_user_for_each_session(squall, per_user):
    run = squall.run(plan(squall, PLAN.format(per_user=per_user)))
    report, rows = run.report, rows_of(run.path)
    assert (report["run"]["status"], run.findings) == ("complete", {}), run.err
    published = rows[rows["kind"] == Kind.PUBLISH]
    # 60 sessions x 2 a second x 4 s, each once, sent or (while its session was away) abandoned
    assert len(published) == 480
    assert len({(int(row["session"]), int(row["due"])) for row in published}) == 480
    assert set(published["outcome"]) <= {Outcome.OK, Outcome.ABANDONED}
    assert report["ledger"]["unaffected"]["owed"] == report["ledger"]["unaffected"]["paid"] > 1500
    assert report["ledger"]["all"]["lost"] == 0
    recovery = report["recovery"]
    assert (recovery["lost"], recovery["recovered"], recovery["gave_up"], recovery["still_away"]) == (12, 12, 0, 0)
    assert recovery["by_cause"]["us"]["time"]["count"] == 12
    assert report["figures"]["open"]["all"]["count"] == 72


def test_a_crowd_over_two_processes_under_locust(squall, two_processes):
    path = plan(squall, PLAN.format(per_user=20).split("[[chaos]]")[0])
    env = {"SQUALL_OUT": str(squall.out / "runs"), "SQUALL_PLAN": str(path)}
    # Four users of twenty sessions each, two users a process.
    arguments = ("--headless", "-u", 4, "-r", 4, "-t", "6s", *two_processes)
    done = squall.wait(squall.start("-f", LOCUSTFILE, *arguments, module="locust", env=env))
    (directory,) = (squall.out / "runs").glob("*")
    run = open_run(directory)
    assert (run.status, run.warnings, len(run.shards)) == ("complete", (), 2)
    shards = [np.fromfile(shard.path, np.dtype(DTYPE), offset=ROW_BYTES) for shard in run.shards]
    sessions = [set(rows["session"][rows["kind"] == Kind.OPEN].tolist()) for rows in shards]
    assert [len(found) for found in sessions] == [40, 40]
    # Four users a second are eighty connects a second, evenly: not a burst of twenty each.
    due = np.sort(np.concatenate([rows["due"][rows["kind"] == Kind.OPEN] for rows in shards]))
    assert {round(gap / 1e6, 3) for gap in np.diff(due)} == {12.5}
    assert set.union(*sessions) == set(range(80))
    squall("report", directory)
    done.out = str(directory)
    ledger = done.complete_report["ledger"]["all"]
    assert done.findings == {}
    assert ledger["owed"] == ledger["paid"] > 0


def test_sessions_that_come_and_go_lose_nothing_and_are_no_finding(squall):
    text = """
    name = "churn"
    [load]
    sessions = 40
    sessions_per_user = 10
    rooms = 4
    rate_per_s = 2.0
    duration_s = 7.0
    settle_s = 1.5
    arrivals = { shape = "poisson", per_s = 20.0, wait_for_all = false }
    departures = { shape = "uniform", mean_s = 3.0, replace_after_s = 0.5 }
    """
    run = squall.run(plan(squall, text))
    report, rows = run.report, rows_of(run.path)
    assert (report["run"]["status"], run.findings) == ("complete", {}), run.err
    assert report["recovery"] is None
    assert report["ledger"]["missed_while_away"] == 0
    assert report["ledger"]["all"]["owed"] == report["ledger"]["all"]["paid"] > 500
    opened = rows[(rows["kind"] == Kind.OPEN) & (rows["outcome"] == Outcome.OK)]
    assert len(opened) > 60  # forty, and those that took their seats
    assert set(rows["session"][rows["kind"] == Kind.OPEN]) == set(range(40))
    assert len(set(opened["due"][opened["conn"] == 0].tolist())) == 40
    published = rows[rows["kind"] == Kind.PUBLISH]
    assert set(published["outcome"]) == {Outcome.OK}
    left = rows[(rows["kind"] == Kind.LEAVE) & (rows["outcome"] == Outcome.OK)]
    assert len(left) == len(opened)


BREAKS = """
from squall import RealtimeUser, task

class Breaks(RealtimeUser):
    def on_connect(self):
        self.join(self.room)

    def on_joined(self, room):
        {what}

    @task
    def say(self):
        due = self.pace()
        self.publish(self.room, self.text, due)
"""


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("1 / 0", "squall: the scenario broke: ZeroDivisionError: division by zero (breaks.py:9)"),
        ("self.pace()", "squall: pace() was called from a hook (on_connect, done, ...), which must not wait"),
        ("import gevent; gevent.sleep(1)", "squall: the scenario broke"),
    ],
)
def test_a_hook_that_raises_or_waits_ends_the_run_in_one_line(squall, what, said):
    scenario = squall.out / "breaks.py"
    scenario.write_text(BREAKS.format(what=what))
    run = squall.run("--sessions", 6, "--set", f"load.scenario={scenario}", "--set", "load.sessions_per_user=3")
    assert run.code == 3
    last = run.err.strip().splitlines()[-1]
    assert last.startswith(said), run.err
    (directory,) = (squall.out / "runs").glob("*")
    assert open_run(directory).status == "failed"


PINGS = """
from squall import RealtimeUser, task

class Pings(RealtimeUser):
    pattern = "{pattern}"

    @task
    def ping_or_say(self):
        due = self.pace()
        if self.client.n % 2:
            self.publish(self.room, self.text, due)
        else:
            self.ping(due=due)
"""


@pytest.mark.parametrize("pattern", ["websocket", "hybrid"])
@pytest.mark.parametrize("shape", ['{shape="constant"}', '{shape="think",think_time_s=0.3}'])
def test_a_scenario_pings_in_place_of_every_second_message(squall, pattern, shape):
    scenario = squall.out / "pings.py"
    scenario.write_text(PINGS.format(pattern=pattern))
    load = {"scenario": scenario, "sessions_per_user": 4, "rate_per_s": 4, "duration_s": 3, "settle_s": 0.5}
    told = [f"--set=load.{key}={value}" for key, value in load.items()]
    run = squall.run("--sessions", 8, "--rooms", 2, *told, f"--set=load.shape={shape}")
    assert (run.report["run"]["status"], run.findings) == ("complete", {}), run.err
    outcomes = run.report["outcomes"]
    assert outcomes["join"] == {"ok": 8}  # by default everybody enters what the plan says
    assert set(outcomes["ping"]) == set(outcomes["publish"]) == {"ok"}
    assert abs(outcomes["ping"]["ok"] - outcomes["publish"]["ok"]) <= 8
    assert outcomes["ping"]["ok"] >= 8
    pings = rows_of(run.path)
    pings = pings[pings["kind"] == Kind.PING]
    assert (pings["due"] > 0).all() and (pings["arrived"] > pings["sent"]).all()
    asked = sum(outcomes[kind]["ok"] for kind in ("ping", "publish", "join", "leave"))
    assert run.report["figures"]["service"]["all"]["count"] == asked


TASKS = """
from locust import TaskSet, task
from squall import RealtimeUser

class Tasks(RealtimeUser):
    @task(3)
    def say(self):
        due = self.pace()
        self.publish(self.room, self.text, due)

    @task
    {other}
"""
OTHERS = (
    "def ask(self):\n        self.ping(due=self.pace())",
    "class Nested(TaskSet):\n        @task\n        def ask(self):\n            self.user.ping(due=self.user.pace())\n"
    "            self.interrupt()",
)


@pytest.mark.parametrize("other", OTHERS, ids=["function", "nested"])
@pytest.mark.parametrize("per_user", [1, 4])
def test_every_task_of_a_scenario_has_its_share_of_what_is_due(squall, other, per_user):
    scenario = squall.out / "tasks.py"
    scenario.write_text(TASKS.format(other=other))
    load = {"scenario": scenario, "sessions_per_user": per_user, "rate_per_s": 8, "duration_s": 3, "settle_s": 0.5}
    run = squall.run("--sessions", 8, "--rooms", 2, *[f"--set=load.{key}={value}" for key, value in load.items()])
    assert (run.report["run"]["status"], run.findings) == ("complete", {}), run.err
    outcomes = run.report["outcomes"]
    said, asked = outcomes["publish"]["ok"], outcomes["ping"]["ok"]
    assert said + asked == 8 * 8 * 3  # nothing is planned twice or left out
    assert 10 < asked < said  # a quarter, by chance


def test_a_scenario_that_pings_where_there_is_no_ping_ends_in_one_line(squall):
    scenario = squall.out / "pings.py"
    scenario.write_text(PINGS.format(pattern="polling"))
    run = squall.run("--sessions", 2, "--rooms", 1, "--set", f"load.scenario={scenario}", "--rate", 4, "--duration", 3)
    assert run.code != 0
    assert run.err.strip().splitlines()[-1].startswith("squall: the scenario pings, and the protocol has no ping"), (
        run.err
    )
