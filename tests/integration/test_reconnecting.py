"""The reconnect policy over real sockets: a server that ends connections, asks for patience, and then says no."""

import base64
import hashlib
import socket
import socketserver
import threading

import numpy as np
import pytest

from harness.record.row import DTYPE, ROW_BYTES, Closer, Kind, Outcome
from harness.record.run_directory import open_run

pytestmark = pytest.mark.slow(reason="whole runs with reconnecting clients")

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
REFUSAL = "HTTP/1.1 {status} No\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n"
PLAN = """
name = "reconnecting"
[endpoint]
url = "ws://127.0.0.1:{port}/?session={{session}}&conn={{conn}}"
dialect = "json"
[endpoint.json]
acks = "none"
publish = {{ id = "{{id}}" }}
delivery = {{ match = {{ t = "never" }}, id = "id" }}
[load]
sessions = 4
rooms = 4
sessions_per_user = 4
rate_per_s = 1.0
ramp_s = 0.0
duration_s = 3.0
settle_s = 0.5
[reconnect]
first_s = 0.1
jitter = "none"
{more}
"""


class Answers(socketserver.StreamRequestHandler):
    """Answers each connection as the script says: `open`, `drop` (open, then FIN), `close CODE`, `STATUS [seconds]`."""

    def handle(self):
        lines = [self.rfile.readline()]
        while lines[-1].strip():
            lines.append(self.rfile.readline())
        query = lines[0].split()[1].partition(b"?")[2] if lines[0] else b""
        if not query:
            return
        session, conn = (int(part.partition(b"=")[2]) for part in query.split(b"&"))
        script = self.server.script
        what, _, more = script[min(conn, len(script) - 1)].partition(" ")
        if what not in ("open", "drop", "close"):
            header = f"Retry-After: {more}\r\n" if more else ""
            self.wfile.write(REFUSAL.format(status=what, header=header).encode())
            return
        key = next(line.partition(b":")[2].strip() for line in lines if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        if what == "close":
            self.wfile.write(b"\x88\x02" + int(more).to_bytes(2, "big"))
        elif what == "open":
            while self.rfile.read1():
                pass


@pytest.fixture
def serve():
    servers = []

    def start(*script):
        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 64

        server = Server(("127.0.0.1", 0), Answers)
        server.script = script
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.server_address[1]

    yield start
    for server in servers:
        server.shutdown()
        server.socket.shutdown(socket.SHUT_RDWR)
        server.server_close()


def carry_out(squall, port, more=""):
    plan = squall.out / "plan.toml"
    plan.write_text(PLAN.format(port=port, more=more))
    run = squall.run(plan)
    assert run.out, run.err
    found = open_run(run.path)
    assert found.status == "complete", run.err
    return run, np.concatenate([np.fromfile(s.path, np.dtype(DTYPE), offset=ROW_BYTES) for s in found.shards])


def of(rows, kind, session=0):
    return rows[(rows["kind"] == kind) & (rows["session"] == session)]


def test_what_the_endpoint_asks_for_in_retry_after_is_waited_for(squall, serve):
    # The first connection of each is the check before the run, and session 0's; the script counts connections.
    run, rows = carry_out(squall, serve("drop", "503 soon", "503 1", "open"))
    assert run.report["recovery"]["recovered"] == 4
    opened = of(rows, Kind.OPEN)
    assert opened["outcome"].tolist() == [Outcome.OK, Outcome.REJECTED, Outcome.REJECTED, Outcome.OK]
    assert opened["due"][2] - opened["read"][1] < 10**9 <= opened["due"][3] - opened["read"][2]
    (back,) = of(rows, Kind.RECOVERY)
    assert (back["outcome"], back["peer"], back["seq"], back["conn"]) == (Outcome.OK, Closer.FIN, 3, 3)
    assert back["arrived"] - back["sent"] >= 10**9


@pytest.mark.parametrize(
    ("script", "code", "attempts"),
    [(("drop", "403"), 403, 2), (("close 1008", "open"), 1008, 1)],
)
def test_after_a_terminal_answer_nobody_comes_back(squall, serve, script, code, attempts):
    run, rows = carry_out(squall, serve(*script))
    recovery = run.report["recovery"]
    assert (recovery["lost"], recovery["gave_up"], recovery["gave_up_by"]) == (4, 4, {f"code {code}": 4})
    assert len(of(rows, Kind.OPEN)) == attempts
    assert f"gave up (4 by code {code})" in run.err
    published = rows[rows["kind"] == Kind.PUBLISH]
    assert (len(published), set(published["outcome"])) == (12, {Outcome.ABANDONED})


def test_tries_are_used_up_and_the_rest_of_the_load_is_abandoned(squall, serve):
    run, rows = carry_out(squall, serve("drop", "500"), "max_attempts = 3")
    assert run.report["recovery"]["gave_up_by"] == {"tries used up": 4}
    opened = of(rows, Kind.OPEN)
    pauses = np.diff(opened["due"]) / 1e9
    assert len(opened) == 4
    assert (pauses[1] > 0.2, pauses[2] > 0.4) == (True, True)
