"""Each mistake that a user can make ends in one clear line and the documented exit code, and leaves no directory."""

import socket
import threading
from contextlib import closing

import pytest


@pytest.fixture
def answering(request):
    """A server that answers whatever comes with some bytes; gives its url."""
    listener = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            held.append(peer)
            peer.recv(4096)
            if request.param is not None:
                peer.sendall(request.param)
                peer.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"ws://127.0.0.1:{listener.getsockname()[1]}/ws"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
    for peer in held:
        peer.close()


def one_line(run, code, *said):
    assert run.code == code, run.err
    assert run.out == ""
    assert run.err.count("\n") == 1, run.err
    assert run.err.startswith("squall: ")
    for part in said:
        assert part in run.err


@pytest.mark.parametrize(
    ("answering", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP 200 OK: hello"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        (b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\n{"no":"t"}', "check endpoint.auth"),
        (b"HTTP/1.1 429 Too Many\r\nContent-Length: 4\r\n\r\nslow", "slow"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "TLS"),
        (b"", "ended before an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not HTTP"),
        (None, "no answer to the upgrade request"),
    ],
    indirect=["answering"],
)
def test_an_endpoint_that_is_no_websocket_is_told_with_what_it_answered(squall, answering, said):
    run = squall.run("--url", answering, "--set", "endpoint.open_timeout_s=1")
    one_line(run, 3, said)
    assert not (squall.out / "runs").exists()


def test_a_port_that_refuses_is_told(squall):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    one_line(squall.run("--url", f"ws://127.0.0.1:{port}/"), 3, "Connection refused")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "load.sesions=3"], 'did you mean "sessions"'),
        (["--rate", "-1"], "load.rate_per_s"),
        (["--url", "ws://example.com/x", "--set", "chaos=[{fault='burst',at_s=1.0,count=1}]"], "allow_hosts"),
        (["no-such-plan"], "there are:"),
        (["/nowhere/plan.toml"], "cannot read the plan"),
        (["--set", "endpoint.serve={defect='nope'}"], "there is no such defect"),
        (["--set", "load.scenario=nope"], "there are: chat"),
        (["--set", "endpoint.url='ws://127.0.0.1:9/'", "--set", "endpoint.auth={kind='token'}"], "SQUALL_TOKEN"),
    ],
)
def test_a_wrong_command_line_is_told(squall, arguments, said):
    one_line(squall.run(*arguments), 2, said)
    assert not (squall.out / "runs").exists()


@pytest.mark.parametrize("command", ["report", "gate"])
def test_a_directory_that_is_no_run_is_told(squall, command):
    one_line(squall(command, squall.out), 2, "not a run directory")
    (squall.out / "run.json").write_text('{"format": 99}')
    one_line(squall(command, squall.out), 2, "format 99")


def test_a_place_that_cannot_be_written_is_told(squall):
    (squall.out / "runs").write_text("a file")
    one_line(squall.run("--sessions", 2, "--duration", 1), 3, "cannot write the run directory")
