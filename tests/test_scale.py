"""What the scale benchmark says when a run fails, and a target server of several processes."""

import pytest

from benchmarks import scale
from benchmarks.peers.cases import Measured
from benchmarks.peers.contestants import Squall
from benchmarks.scale import COLUMNS, Length, Run, grown, row
from benchmarks.serving import Counters, processes_for, together

GOOD = Run(Measured(1_000, 900.0, 30 << 20, 50.0, 1_000.0), {"verdict": "fit", "lag_p99_ms": 1.0})


def test_a_run_that_fails_is_a_line_with_its_reason_and_the_rest_goes_on(monkeypatch):
    def serving(processes):
        raise RuntimeError("the target server\ndid not start")

    monkeypatch.setattr(scale, "serving", serving)
    table = grown([(Squall(1), (100, 1_000)), (Squall(100), (100,))], Length(2, 1.0))
    assert [line[0] for line in table.rows] == ["100", "1,000", "100"]
    assert {line[-1] for line in table.rows} == {"2 of 2 failed: the target server did not start"}
    assert {line[2] for line in table.rows} == {"-"}


def test_of_a_size_that_failed_once_the_other_rounds_are_told():
    told = dict(zip(COLUMNS, row(1_000, "squall", [GOOD, Run(None, {}, "no report")], 10, 20 << 20), strict=True))
    assert told["CPU us a message"] == "50.0"
    assert told["verdict"] == "fit, 1 of 2 failed: no report"


def test_sessions_that_did_not_open_are_told():
    assert row(1_100, "squall", [GOOD], 10, None)[-1] == "fit, opened 1,000"


@pytest.mark.parametrize(
    ("connections", "allowed", "processes"),
    [(10, 20_000, 1), (15_000, 20_000, 1), (20_000, 20_000, 2), (20_000, -1, 1)],
)
def test_no_process_of_the_target_is_to_hold_more_than_it_may_open(connections, allowed, processes):
    assert processes_for(connections, allowed) == processes


def test_several_processes_count_as_one_server():
    one = Counters(5, 1, 1, 10, 2, 1, 100, 200, 0.5)
    idle = Counters(6, 0, 0, 0, 0, 0, 0, 0, 0.25)
    assert together([one, idle]) == one._replace(at_ns=6, cpu_s=0.75)
