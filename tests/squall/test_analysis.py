"""`open_run`: a recorded run as data frames; every number against rows that were written one by one."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.record.codes import code_number
from harness.record.row import Closer, Flag, Gauge, Kind, Outcome
from squall import SquallError, open_run
from tests.reports.conftest import Made

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests" / "reports" / "kept" / "format-1"
HALF_OPEN, BURST = 4, 6
FRAMES = ("operations", "deliveries", "connections", "faults", "samples", "owed", "lost")


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


def opened(made, status="complete"):
    made.report(status)
    return open_run(made.path)


def test_an_operation_has_its_times_relative_to_the_start_and_its_durations(made):
    run = opened(made.member(0, 1).publish(0, 1, 2000.0, due=1990.0, took=5))
    (line,) = run.operations.query("kind == 'publish'").to_dict("records")
    assert (line["session"], line["seq"], line["room"], line["outcome"]) == (0, 1, 0, "ok")
    assert (line["due_s"], line["sent_s"], line["arrived_s"]) == (1.99, 2.0, 2.005)
    assert (line["lag_ms"], line["service_ms"], line["response_ms"]) == (10.0, 5.0, 15.0)
    assert line["exact"] and not line["bounded"] and not line["burst"] and not line["affected"]


def test_what_was_not_measured_is_absent_and_never_zero(made):
    run = opened(made.member(0).publish(0, 1, 2000, Outcome.EXPIRED))
    operations = run.operations
    assert operations.query("outcome == 'expired'")["response_ms"].isna().all()
    assert operations.query("kind == 'join'")["due_s"].isna().all()
    assert operations.query("kind == 'open'")["room"].isna().all()
    assert operations["code"].isna().all() and operations["damage"].isna().all()


def test_refusals_bursts_and_malformed_payloads_can_be_told_apart(made):
    made.member(0).publish(0, 1, 2000, Outcome.REJECTED, code=429, flags=Flag.EXACT | Flag.BURST).probe(0, 2, 2100)
    operations = opened(made).operations
    assert operations.query("burst")["code"].tolist() == [429]
    assert operations.query("kind == 'probe'")["damage"].tolist() == ["missing-key"]


def test_a_delivery_has_the_room_and_the_times_of_its_message(made):
    made.member(0, 1, room=1).publish(0, 1, 2000, room=1, due=1990).deliver(1, 0, 1, 2007, room=0xFFFFFFFF)
    (line,) = opened(made).deliveries.to_dict("records")
    assert (line["receiver"], line["sender"], line["seq"], line["room"], line["room_name"]) == (1, 0, 1, 1, "room-1")
    assert (line["delivery_ms"], line["transit_ms"], line["arrived_s"], line["known"]) == (17.0, 7.0, 2.007, True)


def test_a_delivery_of_an_unknown_message_has_no_delivery_time(made):
    (line,) = opened(made.member(0).deliver(0, 3, 9, 2000)).deliveries.to_dict("records")
    assert not line["known"] and np.isnan(line["delivery_ms"]) and np.isnan(line["sent_s"]) and line["room"] == 0


def test_a_connection_has_its_end_and_its_lifetime(made):
    made.open(0, at=1000).close(0, 3001, closer=Closer.ENDPOINT, code=1011).open(0, at=4000, conn=1)
    made.open(1, at=10, outcome=Outcome.REJECTED, code=503)
    frame = opened(made).connections.set_index(["session", "conn"])
    first, second, refused = frame.loc[(0, 0)], frame.loc[(0, 1)], frame.loc[(1, 0)]
    assert (first.closer, first.code, first.open_ms, first.lifetime_s) == ("endpoint", 1011, 1.0, 2.0)
    assert second.opened_s == 4.001 and np.isnan(second.closed_s) and pd.isna(second.closer)
    assert (refused.outcome, refused.open_code) == ("rejected", 503) and np.isnan(refused.opened_s)


def test_a_fault_has_its_name_its_end_and_whom_it_affected(made):
    made.member(0, 1).fault(0, HALF_OPEN, 5000).lift(0, HALF_OPEN, 8000).fault(1, BURST, 6000, index=1)
    run = opened(made)
    first, second = run.faults.to_dict("records")
    assert (first["fault"], first["session"], first["at_s"], first["lifted_s"]) == ("half-open", 0, 5.0, 8.0)
    assert (second["fault"], second["plan_index"], second["done"]) == ("burst", 1, True)
    assert np.isnan(second["lifted_s"])
    assert run.connections.set_index("session")["affected"].tolist() == [True, True]


def test_gauges_are_columns_by_process_and_second(made):
    made.sample(Gauge.LAG_P99_NS, 2_500_000, 5200).sample(Gauge.OPEN_SESSIONS, 4, 5200).process(1)
    frame = opened(made.sample(Gauge.OPEN_SESSIONS, 7, 5900)).samples.set_index(["process", "at_s"])
    assert frame.loc[(0, 5.0), ["lag_p99_ms", "open_sessions"]].tolist() == [2.5, 4.0]
    assert frame.loc[(1, 5.0), "open_sessions"] == 7 and np.isnan(frame.loc[(1, 5.0), "lag_p99_ms"])


def test_what_is_owed_and_lost_agrees_with_the_report(made):
    made.member(0, 1, 2, 3).chatter(lose={(2, 1, 4), (3, 0, 7)})
    run = opened(made)
    assert {tuple(each) for each in run.lost[["receiver", "sender", "seq"]].to_numpy()} == {(2, 1, 4), (3, 0, 7)}
    assert (run.lost["room_name"] == "room-0").all() and run.lost["sent_s"].min() > 2
    assert len(run.owed) == 160


def test_a_room_has_the_name_that_the_plan_gives_it_and_none_where_the_plan_says_nothing(tmp_path):
    load = {"sessions": 4, "rooms": 2, "ramp_s": 1.0, "duration_s": 20.0, "room_name": "r{room}.live"}
    run = opened(Made(tmp_path, load=load).member(0))
    assert run.operations["room_name"].dropna().unique().tolist() == ["r0.live"]
    manifest = json.loads((run.path / "run.json").read_text())
    del manifest["plan"]["load"]["room_name"]
    (run.path / "run.json").write_text(json.dumps(manifest))
    nameless = open_run(run.path).operations
    assert nameless["room_name"].isna().all() and nameless["room"].notna().any()


def test_the_scenario_of_a_session_is_named(tmp_path):
    scenarios = {"names": ["chat", "polling"], "patterns": ["websocket", "polling"], "parts": [0, 1, 0, 1]}
    run = opened(Made(tmp_path, scenarios=scenarios).member(0, 1, 2))
    assert run.connections.set_index("session")["scenario"].tolist() == ["chat", "polling", "chat"]


@pytest.mark.parametrize("status", ["complete", "interrupted", "failed", ""])
def test_a_run_opens_however_it_ended(made, status):
    run = opened(made.member(0, 1).chatter((0, 1)), status)
    assert run.status == (status or "unsealed")
    assert bool(run.warnings) == (not status)
    assert len(run.operations) and len(run.deliveries)


def test_a_run_cut_short_on_disk_opens_with_warnings(made):
    run = opened(made.member(0, 1).chatter((0, 1)))
    (shard,) = run.path.glob("shard-*.rows")
    rows = len(run.operations)
    shard.write_bytes(shard.read_bytes()[:-100])
    assert len(open_run(run.path).warnings) == 2  # a torn row, and rows that were sealed and are missing
    assert len(open_run(run.path).operations) <= rows


def test_a_run_in_which_nothing_was_recorded_has_empty_frames(made):
    made.recorder.close()
    run = open_run(made.path)
    assert {name: len(getattr(run, name)) for name in FRAMES} == dict.fromkeys(FRAMES, 0)


@pytest.mark.parametrize("name", sorted({*FRAMES} - {"samples"}))
def test_an_empty_frame_has_the_columns_of_a_full_one(made, name):
    made.recorder.close()
    assert list(getattr(open_run(made.path), name)) == list(getattr(open_run(KEPT), name))


def test_a_run_of_format_1_opens():
    run = open_run(str(KEPT))
    assert run.manifest["format"] == 1 and run.plan["name"] == "format-1"
    assert all(isinstance(getattr(run, name), pd.DataFrame) for name in FRAMES)
    assert len(run.owed) == len(run.deliveries) == 288


def test_the_report_is_the_one_that_the_report_command_writes():
    assert open_run(KEPT).report.ledger.all.owed == 288


@pytest.mark.parametrize("content", [None, "", "{}", '{"format": 99}', '{"format": 2}'])
def test_what_is_no_run_directory_is_a_squall_error(tmp_path, content):
    path = tmp_path / "somewhere"
    if content is not None:
        path.mkdir()
        (path / "run.json").write_text(content)
    with pytest.raises(SquallError):
        open_run(path)


def imported(code):
    """Which of the heavy packages a fresh process has imported after `code`."""
    check = "import sys; print(*sorted({'gevent', 'locust', 'numpy', 'pandas'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", f"{code}\n{check}"], capture_output=True, text=True, timeout=60,
        cwd=ROOT / "docs",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


def test_opening_a_run_imports_neither_locust_nor_gevent():
    code = f"from squall import open_run\nrun = open_run({str(KEPT)!r})\nrun.operations, run.owed, run.report"
    assert imported(code) == ["numpy", "pandas"]


@pytest.mark.parametrize(
    "code",
    [
        "import squall",
        "from squall import NEVER, Pace, SquallError",
        "import squall.cli\ntry: squall.cli.squall(['run', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_the_public_face_and_its_help_import_nothing_heavy(code):
    assert imported(code) == []


def test_a_row_that_is_no_operation_is_not_among_them(made):
    made.member(0).row(Kind.STRAY, Outcome.NONE, session=0, arrived=3000)
    assert opened(made).operations["kind"].tolist() == ["open", "join"]


def test_a_code_that_is_no_whole_number_has_a_name(made):
    made.recorder.name_code(code_number("FULL"), 1)
    made.member(0).publish(0, 1, 2000, Outcome.REJECTED, code=429)
    made.publish(0, 2, 2001, Outcome.REJECTED, code=int(code_number("FULL"))).publish(0, 3, 2002)
    frame = opened(made).operations.query("kind == 'publish'")
    assert frame["code_name"].astype(object).where(frame["code_name"].notna(), None).tolist() == ["429", "FULL", None]
    assert frame["code"].fillna(-1).tolist() == [429, -1, -1]
