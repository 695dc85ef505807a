"""How the process begins and ends, and which secret it uses."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SERVE = [sys.executable, "-m", "harness.endpoint", "serve"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_clients_with_1001_and_ends_with_0(number):
    process = subprocess.Popen(SERVE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with process:
        assert process.stdout.readline().startswith("ws://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(20) == 0


def test_clients_are_closed_with_1001_when_it_stops(serving):
    with serving() as endpoint, endpoint.client() as ann:
        endpoint.process.terminate()
        assert ann.close_code() == 1001
        assert endpoint.process.wait(20) == 0
        endpoint.process.poll = lambda: None  # the fixture expects it to be alive still


def test_it_ends_with_its_parent():
    code = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE); p.stdout.readline(); "
    code += "print(p.pid, flush=True); import os; os._exit(0)"
    command = [sys.executable, "-c", code, *SERVE, "--exit-with-parent"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)  # until the grandchild's stderr closes
    assert int(ended.stdout) and "stopping" in ended.stderr


def test_the_generated_secret_is_private_makes_tokens_and_is_removed(monkeypatch):
    monkeypatch.delenv("SQUALL_JWT_SECRET", raising=False)
    process = subprocess.Popen(SERVE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        file = Path(process.stderr.readline().split()[-1])
        process.stdout.readline()
        assert file.stat().st_mode & 0o777 == 0o600
        command = [*SERVE[:-1], "token", "--secret-file", str(file)]
        assert subprocess.check_output(command, text=True).count(".") == 2
        process.terminate()
        process.wait(20)
    assert not file.exists()


def test_a_short_secret_is_refused():
    ended = subprocess.run(SERVE, capture_output=True, text=True, env=os.environ | {"SQUALL_JWT_SECRET": "short"})
    assert ended.returncode == 2 and "too short" in ended.stderr


def test_in_a_patched_process_serve_starts_afresh():
    code = "from gevent import monkey; monkey.patch_all(); from harness.endpoint.command import serve; serve()"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with process:
        assert process.stdout.readline().startswith(b"ws://")
        process.terminate()
        assert process.wait(20) == 0
