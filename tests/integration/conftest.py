"""Whole runs in processes of their own: what imports Locust never shares a process with a test."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90

# Everything a small run can show, in 14 s: the endpoint notices the dead within 2 to 3 s.
CHAOTIC = """
name = "small"
seed = 3
[endpoint.serve]
ping-interval-s = 1
ping-timeout-s = 1
[contract]
throttle_per_s = 10.0
throttle_burst = 20
malformed_codes = [400]
stale_within_s = 6.0
schemas = { publish = "reference/sendMessage.json" }
[load]
sessions = 40
rooms = 5
rate_per_s = 2.0
ramp_s = 1.0
duration_s = 9.0
settle_s = 2.5
[observe]
url = "/connections"
every_s = 0.5
auth = { kind = "jwt", claims = { sub = "observer", tenant = "squall", roles = ["admin"] } }
[[chaos]]
fault = "drop"
how = "half-open"
at_s = 2.5
count = 3
[[chaos]]
fault = "drop"
how = "stall"
at_s = 2.6
count = 2
[[chaos]]
fault = "drop"
how = "reset"
at_s = 3.0
count = 3
[[chaos]]
fault = "drop"
how = "fin"
at_s = 3.2
count = 2
[[chaos]]
fault = "drop"
how = "close"
at_s = 3.4
count = 2
[[chaos]]
fault = "burst"
at_s = 4.0
count = 3
messages = 60
[[chaos]]
fault = "malformed"
at_s = 4.0
count = 3
messages = 20
"""


@dataclass
class Run:
    """A finished `squall`: what it said, and the directory it made."""

    code: int
    out: str
    err: str

    @property
    def path(self) -> Path:
        return Path(self.out.strip())

    @property
    def report(self) -> dict:
        return json.loads((self.path / "report.json").read_text())

    @property
    def complete_report(self) -> dict:
        """The report of a run that went to its end, whatever the verdict: a busy machine may have made it late."""
        assert self.out, self.err
        report = self.report
        assert report["run"]["status"] == "complete", self.err
        return report

    @property
    def findings(self) -> dict[str, int]:
        """What was found, without what was looked for and not found."""
        return {name: count for name, count in self.report["finding_counts"].items() if count}


class Squall:
    """Starts `squall` with its output kept; everything started is waited for or killed by the end of the test."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.started: list[subprocess.Popen] = []

    def start(self, *arguments: object, module: str = "squall", **popen: object) -> subprocess.Popen:
        command = [sys.executable, "-W", "ignore", "-m", module, *map(str, arguments)]
        environment = {"PYTHONPATH": str(ROOT), **os.environ, "COLUMNS": "200", **popen.pop("env", {})}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=self.out, **popen
        )
        self.started.append(process)
        return process

    def start_run(self, *arguments: object, **popen: object) -> subprocess.Popen:
        return self.start("run", *arguments, "--out", self.out / "runs", **popen)

    def wait(self, process: subprocess.Popen) -> Run:
        out, err = process.communicate(timeout=PATIENCE_S)
        return Run(process.returncode, out, err)

    def __call__(self, *arguments: object, **popen: object) -> Run:
        return self.wait(self.start(*arguments, **popen))

    def run(self, *arguments: object, **popen: object) -> Run:
        return self.wait(self.start_run(*arguments, **popen))

    def finish(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def two_processes():
    """Locust's options for two workers that meet at a port of their own: another run's would take their orders."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return ("--processes", 2, "--master-bind-port", port, "--master-port", port)


@pytest.fixture
def squall(tmp_path):
    squall = Squall(tmp_path)
    yield squall
    squall.finish()


@pytest.fixture(scope="module")
def shared_squall(tmp_path_factory):
    squall = Squall(tmp_path_factory.mktemp("shared"))
    yield squall
    squall.finish()


@pytest.fixture(scope="session")
def chaotic_plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "small.toml"
    path.write_text(CHAOTIC)
    return path
