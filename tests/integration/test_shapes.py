"""Load shapes and room sizes in whole runs: what was recorded is what the plan asked for."""

import numpy as np
import pytest

from harness.plan import build_plan
from harness.record.row import DTYPE, ROW_BYTES, Kind, Outcome
from harness.record.run_directory import open_run
from harness.schedule.rooms import Rooms
from harness.units import SECOND

pytestmark = pytest.mark.slow(reason="whole runs of each shape of load")

SMALL = ("--sessions", 6, "--rooms", 2, "--duration", 3, "--set", "load.ramp_s=0.2", "--set", "load.settle_s=1")


def rows_of(path, kind):
    (shard,) = open_run(path).shards
    rows = np.fromfile(shard.path, np.dtype(DTYPE), offset=ROW_BYTES)
    return rows[rows["kind"] == kind]


def test_a_replay_sends_at_the_times_of_the_file_and_keeps_them_in_the_run_directory(squall):
    times = [round(0.1 * n * n, 3) for n in range(5)] + [2.5, 2.5, 99.0]
    (squall.out / "times.csv").write_text("at\n" + "\n".join(map(str, reversed(times))))
    plan = squall.out / "plan.toml"
    plan.write_text('[load]\nshape = { shape = "replay", file = "times.csv", column = "at" }\n')
    run = squall.run(plan, *SMALL)
    assert run.complete_report["fitness"]["missed"] == 0
    found = sorted(rows_of(run.path, Kind.PUBLISH)["due"] - open_run(run.path).manifest["load_start_ns"])
    assert found == [round(time * SECOND) for time in times[:-1]]
    assert (run.path / "replay.csv").read_text().split()[:3] == ["due_ns", "0", "100000000"]
    assert run.findings == {}


def test_a_bad_replay_is_one_line_and_no_directory(squall):
    (squall.out / "times.csv").write_text("at\n1\nsoon\n")
    plan = squall.out / "plan.toml"
    plan.write_text('[load]\nshape = { shape = "replay", file = "times.csv" }\n')
    run = squall.run(plan)
    assert run.code == 2
    assert 'times.csv, line 3: "soon" is no time' in run.err
    assert len(run.err.strip().splitlines()) == 1
    assert not list(squall.out.glob("runs/*"))


@pytest.mark.parametrize("sizes", ['{ sizes = "giant", share = 0.5 }', '{ sizes = "zipf", per_session = 2 }'])
def test_everybody_joins_the_rooms_that_the_plan_says_and_the_ledger_balances(squall, sizes):
    shape = '{ shape = "ramp", to_per_s = 6.0, spacing = "poisson" }'
    more = ("--set", f"load.room_sizes={sizes}", "--set", f"load.shape={shape}", "--rooms", 3, "--sessions", 12)
    run = squall.run(*SMALL, *more)
    books = run.complete_report["ledger"]["all"]
    rooms = Rooms(build_plan(open_run(run.path).manifest["plan"]).load, 1)
    joined = rows_of(run.path, Kind.JOIN)
    for number in range(12):
        assert set(joined["room"][joined["session"] == number]) == set(rooms.of(number))
    assert run.findings == {}
    assert books["owed"] == books["paid"] > 100


@pytest.mark.parametrize("per_user", [1, 6])
def test_in_a_closed_loop_nobody_speaks_before_the_answer_and_the_think_time(squall, per_user):
    shape = '{ shape = "think", think_time_s = 0.2 }'
    more = ("--set", f"load.shape={shape}", "--set", f"load.sessions_per_user={per_user}")
    run = squall.run(*SMALL, *more)
    assert open_run(run.path).manifest["loop"] == run.complete_report["run"]["loop"] == "closed"
    rows = rows_of(run.path, Kind.PUBLISH)
    for number in range(6):
        mine = np.sort(rows[rows["session"] == number], order="seq")
        assert len(mine) > 3
        assert all(mine["due"][1:] >= mine["read"][:-1] + SECOND // 5)
        assert all(mine["sent"] >= mine["due"])
    assert run.findings == {}


def test_in_a_closed_loop_who_is_away_says_nothing_and_goes_on_after_coming_back(squall):
    plan = squall.out / "plan.toml"
    plan.write_text(
        """
        [reconnect]
        first_s = 1.0
        jitter = "none"
        [load]
        shape = { shape = "think", think_time_s = 0.02, spread = "exponential" }
        [[chaos]]
        fault = "drop"
        how = "reset"
        at_s = 1.5
        share = 1.0
        """
    )
    run = squall.run(plan, *SMALL)
    rows = rows_of(run.path, Kind.PUBLISH)
    for number in range(6):
        mine = rows[rows["session"] == number]
        assert not any(mine["outcome"] == Outcome.ABANDONED), "who is away is waiting, not speaking"
        assert len(mine[(mine["conn"] == 1) & (mine["outcome"] == Outcome.OK)]) > 1
