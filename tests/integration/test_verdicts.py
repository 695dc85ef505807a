"""No run ends with 0 that was cut short, that nobody could open, or that was refused throughout."""

import base64
import contextlib
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.record.run_directory import open_run

from .raising import raises_at
from .test_endings import LONG, recorded, until

pytestmark = pytest.mark.slow(reason="whole runs")

LOCUSTFILE = Path(__file__).parents[2] / "locustfile.py"
SHORT = "[load]\nsessions = 4\nrooms = 2\nrate_per_s = 5.0\nramp_s = 0.5\nduration_s = 3.0\nsettle_s = 1.0\n"


class LetsOneIn(BaseHTTPRequestHandler):
    """Accepts the first upgrade, which is the look before the run, and answers every other one with 503."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if not self.server.seats.acquire(blocking=False):
            self.send_error(503)
            return
        key = self.headers["Sec-WebSocket-Key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key).digest()).decode())
        self.end_headers()
        self.rfile.read(1)  # until the client goes
        self.close_connection = True

    def log_message(self, *_):
        """Nothing."""


@contextlib.contextmanager
def refusing():
    """The url of an endpoint that lets no session in."""
    with ThreadingHTTPServer(("127.0.0.1", 0), LetsOneIn) as server:
        server.daemon_threads = True
        server.seats = threading.Semaphore(1)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"ws://127.0.0.1:{server.server_port}/ws"
        finally:
            server.shutdown()


def under_locust(squall, plan, *more):
    env = {"SQUALL_OUT": str(squall.out / "runs"), "SQUALL_PLAN": str(plan)}
    command = ("-f", LOCUSTFILE, "--headless", "-u", 4, "-r", 4, "-t", "4s", *more)
    done = squall.wait(squall.start(*command, module="locust", env=env))
    (path,) = (squall.out / "runs").glob("*")
    done.out = str(path)
    return done


def by_squall(squall, plan):
    return squall.run(plan)


@pytest.mark.parametrize("start", [by_squall, under_locust])
def test_a_run_in_which_nobody_opened_fails(squall, start):
    plan = squall.out / "plan.toml"
    with refusing() as url:
        plan.write_text(f'[endpoint]\nurl = "{url}"\n{SHORT}')
        run = start(squall, plan)
    verdict = run.report["verdict"]
    assert (run.code, verdict["verdict"], verdict["fit"]) == (1, "fail", True)
    assert run.findings.keys() == {"open-failed"}
    assert ": fail by the budget default; generator fit" in run.err


@pytest.mark.parametrize("start", [by_squall, under_locust])
def test_an_exception_in_a_scenario_is_reported_and_never_a_pass(squall, start):
    scenario, plan = squall.out / "raises.py", squall.out / "plan.toml"
    scenario.write_text(raises_at(5))
    plan.write_text(f'{SHORT}scenario = "{scenario}"\n')
    run = start(squall, plan)
    assert (run.code, run.report["verdict"]["verdict"]) == (3, "inconclusive")
    assert open_run(run.path).status == "failed"
    assert any("of the scenario" in reason for reason in run.report["verdict"]["reasons"])


def test_a_run_that_is_terminated_is_inconclusive(squall):
    process = squall.start_run(*LONG)
    path = until(lambda: recorded(squall))
    process.terminate()
    run = squall.wait(process)
    assert (run.code, run.path) == (3, path)
    assert run.report["verdict"]["verdict"] == "inconclusive"


def test_without_a_gate_what_was_found_does_not_change_the_exit_code(squall):
    plan = squall.out / "plan.toml"
    with refusing() as url:
        plan.write_text(f'[endpoint]\nurl = "{url}"\n{SHORT}')
        run = squall.run(plan, "--no-gate")
    assert (run.code, run.report["verdict"]["verdict"]) == (0, "fail")
