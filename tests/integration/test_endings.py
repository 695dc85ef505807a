"""Every way in which a run can end early keeps what was recorded and says so."""

import json
import resource
import signal
import sys
import time

import pytest

from harness.record.run_directory import open_run
from reports import words
from tests.integration.loose import LOOSE
from tests.waiting import until

pytestmark = pytest.mark.slow(reason="whole runs that are interrupted")

SHORT = ("--sessions", 4, "--rooms", 2, "--duration", 2, "--set", "load.ramp_s=0.2", *LOOSE)
LONG = ("--sessions", 20, "--rooms", 4, "--duration", 60, "--rate", 5, "--set", "load.ramp_s=0.5")


def recorded(squall, shards=1, least=200):
    """The directory of the run, once each of so many processes has rows on disk; None until then."""
    for path in (squall.out / "runs").glob("*/run.json"):
        found = open_run(path.parent).shards
        if len(found) == shards and all(shard.rows >= least for shard in found):
            return path.parent
    return None


def rows_of(path):
    return sum(shard.rows for shard in open_run(path).shards)


def test_the_first_ctrl_c_drains_seals_and_reports(squall):
    process = squall.start_run(*LONG)
    path = until(lambda: recorded(squall))
    process.send_signal(signal.SIGINT)
    run = squall.wait(process)
    assert run.code == 3
    assert run.report["verdict"]["verdict"] == "inconclusive"
    assert run.path == path
    assert open_run(path).status == "interrupted"
    assert run.report["run"]["load_end_s"] < 50  # of the sixty that were planned
    assert run.report["figures"]["response"]["unaffected"]["count"] > 0
    assert set(run.findings) == set()


def test_the_second_ctrl_c_leaves_at_once_and_the_rows_can_be_reported(squall):
    process = squall.start_run(*LONG, "--set", "load.settle_s=60")
    path = until(lambda: recorded(squall))

    def ended():  # two signals that come at once are one
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    until(ended, sleep=lambda _: time.sleep(0.2))
    run = squall.wait(process)
    assert run.code == 3
    assert str(path) in "".join(run.err.split())
    assert open_run(path).status == "unsealed"
    assert squall("report", path).code == 3


def test_a_killed_run_is_readable_and_reported_as_unfit(squall):
    process = squall.start_run(*LONG)
    path = until(lambda: recorded(squall))
    process.kill()
    squall.wait(process)
    reported = squall("report", path)
    assert reported.code == 3
    fitness = json.loads((path / "report.json").read_text())["fitness"]
    assert (fitness["verdict"], words.KILLED in fitness["reasons"]) == ("unfit", True)


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits stand in for a full disk")
def test_a_full_disk_stops_the_run_seals_it_and_says_so(squall):
    limit = (250_000, 250_000)
    process = squall.start_run(*LONG, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    run = squall.wait(process)
    assert run.code == 3
    assert any(line.startswith("squall: cannot record into") for line in run.err.splitlines()), run.err
    path = next((squall.out / "runs").glob("*"))
    found = open_run(path)
    assert found.status == "failed"
    assert rows_of(path) > 3000
    assert squall("report", path).code == 3


def test_an_endpoint_that_dies_in_the_middle_leaves_a_hole_and_the_run_goes_on(squall):
    def serve(port):
        process = squall.start("serve", "--port", port, module="harness.endpoint", env={"SQUALL_JWT_SECRET": "x" * 40})
        return process, process.stdout.readline().strip()

    first, url = serve(0)
    port = url.split(":")[2].split("/")[0]
    plan = squall.out / "plan.toml"
    plan.write_text(
        f"""
        [endpoint]
        url = "{url}?client={{key}}"
        auth = {{ kind = "jwt", claims = {{ sub = "u", tenant = "t", roles = ["member"] }} }}
        [load]
        sessions = 20
        rooms = 4
        rate_per_s = 5.0
        ramp_s = 0.5
        duration_s = 60.0
        [reconnect]
        cap_s = 1.0
        """
    )
    process = squall.start_run(plan, env={"SQUALL_JWT_SECRET": "x" * 40})
    path = until(lambda: recorded(squall))
    first.kill()
    first.wait()
    time.sleep(2)  # a second without deliveries, wherever seconds begin
    serve(port)
    again = rows_of(path)
    until(lambda: rows_of(path) > again + 2000)
    process.send_signal(signal.SIGINT)
    run = squall.wait(process)
    assert run.code == 1, run.err
    assert set(run.findings) <= {"unexpected-close", "open-failed"}
    assert run.findings["unexpected-close"] == 20
    delivered = run.report["timeline"]["deliveries"]
    loud = [second for second, count in enumerate(delivered) if count]
    quiet = [second for second in range(loud[0], loud[-1]) if not delivered[second]]
    assert quiet, delivered
    assert sum(delivered[: quiet[0]]) > 100 < sum(delivered[quiet[-1] :]), delivered


@pytest.mark.parametrize("deaf", [("stdout",), ("stdout", "stderr")])
def test_a_run_that_nobody_listens_to_is_recorded_and_reported_all_the_same(squall, deaf):
    process = squall.start_run(*SHORT)
    for name in deaf:
        getattr(process, name).close()  # as `| true` does
    assert process.wait(60) == 0
    (path,) = (squall.out / "runs").glob("*")
    assert open_run(path).status == "complete"
    report = json.loads((path / "report.json").read_text())
    assert report["outcomes"]["publish"]["ok"] > 0
    assert report["fitness"]["verdict"] == "fit"
    assert report["verdict"]["verdict"] == "pass"


def test_a_verdict_that_nobody_reads_is_still_the_exit_code(squall):
    run = squall.run(*SHORT)
    budget = squall.out / "b.toml"
    budget.write_text('[[clause]]\nfigure = "figures.response.all.p99"\nmin = 1e9\n')
    process = squall.start("gate", run.path, "--budget", budget)
    process.stdout.close()
    assert process.wait(60) == 1
