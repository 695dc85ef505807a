"""The commands of docs/serve.md, as they stand there, against a serving endpoint."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.conftest import HERE
from tests.endpoint.conftest import SECRET

pytestmark = pytest.mark.slow(reason="runs every command of the page")

PAGE = (HERE.parents[1] / "docs" / "serve.md").read_text()


def block(section):
    """The first block of commands under a heading."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return re.search(r"```\n(.*?)```", text, re.DOTALL)[1]


@pytest.fixture
def shell(endpoint, tmp_path):
    """Run commands in bash; `squall` is the one that is tested."""
    for program in ("bash", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")

    def run(commands):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "SQUALL_JWT_SECRET": SECRET}
        commands = commands.replace("http://127.0.0.1:8080", endpoint.http)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands], env=environment, cwd=tmp_path,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_commands_on_rooms_over_http_do_what_the_page_says(shell):
    # The long poll and the stream would wait: the one is given what it waits for, the other an end.
    commands = block("Rooms over HTTP").replace("after=1&wait=30", "after=0&wait=30")
    commands = commands.replace("curl -sN", "curl --max-time 2 -sN").rstrip("\n") + " || test $? = 28\n"
    told = shell(commands)
    assert told.startswith('{"roomId":"r1","members":0,"last":0}')
    assert told.count('"payload":{"text":"hello","sender":"ann"}') == 3  # history, long poll, stream
    assert "event: message" in told


def test_the_operator_s_commands_do_what_the_page_says(endpoint, shell):
    with endpoint.client("ann") as ann:
        told = shell(block("Operate it"))
        assert ann.connection.recv(10) == "hello from the operator"
    assert '"lastActiveAt"' in told and 'squall_pushes_total{result="ok"} 1.0' in told


def test_the_first_look_does_what_the_page_says(shell):
    told = shell("\n".join(line for line in block("Talk to it").splitlines() if line.startswith("curl")))
    assert '{"status":"ready"}' in told and '"connections":[' in told
