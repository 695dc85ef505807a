"""The dialect echo, by table and against a real echo server."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from harness.plan import Endpoint
from harness.record.row import SignalKind
from harness.wire import Message, make_dialect

ROOT = Path(__file__).parents[2]
DIALECT = make_dialect(Endpoint(url="ws://127.0.0.1:1/", dialect="echo"))
PLAN = """
[endpoint]
url = "ws://127.0.0.1:{port}/"
dialect = "echo"
answer_timeout_s = 1.0
[contract]
delivers_to_sender = true
[load]
sessions = 5
rate_per_s = 5.0
ramp_s = 0.5
duration_s = 2.0
settle_s = 1.5
room_sizes = {{ sizes = "own" }}
"""


def test_what_is_sent_comes_back_as_the_delivery_of_the_same_message():
    (signal,) = DIALECT.decode(DIALECT.publish(Message(id="n-1-2", text="two words")))
    assert (signal.kind, signal.id, signal.text) == (SignalKind.DELIVERY, "n-1-2", "two words")


@pytest.mark.parametrize("data", [b"", b"one", b"\xff x"])
def test_what_is_no_echo_of_ours_is_garbled(data):
    assert [signal.kind for signal in DIALECT.decode(data)] == [SignalKind.GARBLED]


@contextmanager
def echoing(forgets):
    """An echo server on a free port; it leaves out every `forgets`-th message of a connection (0: none)."""
    left_out = []

    def echo(connection):
        try:
            for number, text in enumerate(connection, 1):
                if forgets and number % forgets == 0:
                    left_out.append(text)
                else:
                    connection.send(text)
        except ConnectionClosed:
            pass

    with serve(echo, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1], left_out
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.parametrize("forgets", [0, 3])
def test_a_run_against_an_echo_server_balances_with_its_own_count(tmp_path, forgets):
    with echoing(forgets) as (port, left_out):
        (tmp_path / "echo.toml").write_text(PLAN.format(port=port))
        command = [sys.executable, "-W", "ignore", "-m", "squall", "run", "echo.toml"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout, done.stderr
    report = json.loads((tmp_path / done.stdout.strip() / "report.json").read_text())
    assert report["run"]["status"] == "complete", done.stderr
    found = {name: count for name, count in report["finding_counts"].items() if count}
    assert report["outcomes"]["publish"]["ok"] == report["ledger"]["all"]["paid"] > 20
    assert found == ({"unanswered": len(left_out)} if forgets else {}), report["findings"]
