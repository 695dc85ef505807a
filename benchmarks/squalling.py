"""Squall as a benchmark runs it: its ordinary command line, a plan in the json dialect, recording on.

It must not know what is compared. The subtle thing: the report is computed afterwards, here, so that it counts neither
for nor against the generator.
"""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

PLAN = """\
name = "bench"

[endpoint]
url = "{url}{mark}session={{session}}"
dialect = "json"
open_timeout_s = 30.0

[endpoint.json]
acks = "delivery"                                  # everybody gets his own message back: that is the answer
publish = {{ id = "{{id}}", room = "{{room}}", text = "{{text}}" }}

[endpoint.json.delivery]
match = {{}}
id = "id"
room = "room"

[load]
sessions = {sessions}
rooms = {rooms}
rate_per_s = {rate_per_s}
ramp_s = {ramp_s}
duration_s = {duration_s}
settle_s = 1.0
payload_bytes = {payload_bytes}
{more}
"""
LOCUSTFILE = Path(__file__).resolve().parents[1] / "locustfile.py"
TELLING = ("squall: ", "/ERROR/", "Error: ")
"""What a line that says why a run did not begin holds: ours, Locust's, Python's."""
THINK_S = 1e-6
"""Flat out: the next message is due a microsecond after the answer to the one before."""


def command_for(
    scratch: Path, url: str, *, sessions: int, rooms: int = 0, rate_per_s: float = 1.0, ramp_s: float = 1.0,
    duration_s: float = 10.0, payload_bytes: int = 130, per_user: int = 1, scenario: str = "",
) -> list[str]:  # fmt: skip
    """Write the plan into `scratch` and give the command that carries it out.

    `rooms` is 0 for everybody alone (the server echoes); `rate_per_s` is each session's, infinite for as fast as it
    can; the times are in seconds.
    """
    more = [f"sessions_per_user = {per_user}"] if per_user > 1 else []
    if scenario:
        more.append(f'scenario = "{scenario}"')
    if math.isinf(rate_per_s):
        more.append(f'shape = {{ shape = "think", think_time_s = {THINK_S:f} }}')
        rate_per_s = 1.0  # not used by that shape
    text = PLAN.format(
        url=url, mark="&" if "?" in url else "?", sessions=sessions, rooms=rooms or sessions, rate_per_s=rate_per_s,
        ramp_s=ramp_s, duration_s=duration_s, payload_bytes=payload_bytes, more="\n".join(more),
    )  # fmt: skip
    plan = scratch / "plan.toml"
    plan.write_text(text)
    return [sys.executable, "-m", "squall", "run", str(plan), "--no-report", "--out", str(scratch / "runs")]


def swarm_command(
    scratch: Path, url: str, *, sessions: int, ramp_s: float, duration_s: float, per_user: int, processes: int
) -> tuple[list[str], dict[str, str]]:
    """The same over processes, under Locust's own command line: the command and its environment variables."""
    command_for(scratch, url, sessions=sessions, ramp_s=ramp_s, duration_s=duration_s, per_user=per_user)
    users = sessions // per_user
    command = [
        str(Path(sys.executable).with_name("locust")), "-f", str(LOCUSTFILE), "--headless", "-u", str(users),
        "-r", f"{users / ramp_s:g}", "--processes", str(processes), "--only-summary",
    ]  # fmt: skip
    return command, {"SQUALL_PLAN": str(scratch / "plan.toml"), "SQUALL_OUT": str(scratch / "runs")}


def run_directory(scratch: Path) -> Path:
    """Of the one run made in `scratch`.

    Raises:
        RuntimeError: there is not exactly one; with what the run said.
    """
    found = list((scratch / "runs").glob("*")) if (scratch / "runs").is_dir() else []
    if len(found) != 1:
        output = scratch / "output.txt"
        lines = output.read_text(errors="replace").splitlines() if output.exists() else []
        wrong = [line for line in lines if any(word in line for word in TELLING)] or lines[-1:]
        raise RuntimeError(f"{len(found)} run directories instead of one; it said: {' / '.join(wrong[-3:])}")
    return found[0]


def report_of(scratch: Path) -> dict[str, Any]:
    """The run's report, computed now.

    Raises:
        RuntimeError: there is no run directory, or no report of it.
    """
    run = run_directory(scratch)
    done = subprocess.run(
        [sys.executable, "-m", "squall", "report", str(run)], capture_output=True, text=True, check=False
    )
    made = run / "report.json"
    if not made.is_file():
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(f"no report: {said[-1] if said else f'exit {done.returncode}'}")
    report: dict[str, Any] = json.loads(made.read_text())
    return report


def reported_by(scratch: Path) -> tuple[float | None, float | None]:
    """p50 and p99 of response in ms, as the report tells them."""
    response = report_of(scratch)["figures"]["response"]["all"]
    return response["p50"], response["p99"]
