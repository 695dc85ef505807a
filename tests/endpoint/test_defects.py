"""Each defect does what its line says, and the document, the registry and the option agree."""

import re
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.endpoint.defects import REGISTRY

pytestmark = pytest.mark.slow(reason="servers and command lines are started for each case")

WIDE = ("--throttle-per-s", "100000", "--throttle-burst", "100000")


def deliveries(endpoint, messages=400):
    with endpoint.client() as ann:
        ann.ask("joinRoom", "j")
        for number in range(messages):
            ann.send("sendMessage", f"m{number}", text="x")
        frames = ann.until(f"m{messages - 1}")  # its ack, the last one
        ann.send("ping", "end")
        return [frame["requestId"] for frame in frames + ann.until("end") if frame["action"] == "message"]


def test_the_document_and_the_registry_name_the_same_defects_in_the_same_words():
    text = (Path(__file__).parents[2] / "docs" / "defects.md").read_text()
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", text, re.MULTILINE))
    named = {d.name + (f"={d.default:g}" if d.default is not None else ""): d.summary for d in REGISTRY.values()}
    assert rows == named


def test_the_option_lists_every_defect():
    command = [sys.executable, "-m", "harness.endpoint", "serve", "--defects"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0].partition("=")[0] for line in listed.splitlines()} == set(REGISTRY)


PROOFS = ("endpoint/test_wrongs.py", "endpoint/test_processes.py", "integration/test_defects.py")


@pytest.mark.parametrize("name", REGISTRY)
def test_every_defect_has_a_test_that_the_endpoint_is_wrong_in_that_way(name):
    texts = [(Path(__file__).parents[1] / file).read_text() for file in PROOFS]
    assert any(f'"{name}"' in text or f'"{name}=' in text for text in texts)


@pytest.mark.parametrize(
    "options",
    [
        ("--defect", "lsoe"),
        ("--defect", "lose=3"),
        ("--defect", "throttle-off=1"),
        ("--secret-file", "/nope"),
        ("--throttle-burst", "0"),
        ("--ping-interval-s", "nan"),
        ("--store", "/nope/store.db"),
        ("--port", "70000"),
    ],
    ids=str,
)
def test_a_bad_option_ends_in_one_line_and_exit_code_2(options, monkeypatch):
    monkeypatch.delenv("SQUALL_JWT_SECRET", raising=False)
    command = [sys.executable, "-m", "harness.endpoint", "serve", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert len([line for line in ended.stderr.splitlines() if "the secret for tokens" not in line]) == 1


def test_a_taken_port_is_one_line_and_exit_code_2(serving):
    with serving() as endpoint:
        port = endpoint.http.rpartition(":")[2]
        command = [sys.executable, "-m", "harness.endpoint", "serve", "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert ended.returncode == 2 and "Address already in use" in ended.stderr


def test_without_defects_every_message_comes_once_and_in_order(serving):
    with serving(*WIDE) as endpoint:
        assert deliveries(endpoint) == [f"m{number}" for number in range(400)]


def test_lose_loses_some_and_the_same_again_with_the_same_seed(serving):
    got = []
    for _ in range(2):
        with serving(*WIDE, "--defect", "lose=0.1") as endpoint:
            got.append(deliveries(endpoint))
    assert got[0] == got[1] and 300 < len(got[0]) < 400


def test_duplicate_delivers_some_twice(serving):
    with serving(*WIDE, "--defect", "duplicate=0.1") as endpoint:
        got = deliveries(endpoint)
        assert len(set(got)) == 400 and 400 < len(got) < 500


def test_throttle_off_accepts_any_number(serving):
    with serving("--defect", "throttle-off") as endpoint:
        assert len(deliveries(endpoint)) == 400


@pytest.mark.parametrize(
    "text",
    [
        '{"version":"1.0","action":"sendMessage","requestId":"g","roomId":"r1","payload":{},"timestamp":1}',
        '{"version":"1.0","action":"sendMessage","requestId":"g","roomId":"r1","payload":{"text":7},"timestamp":"x"}',
        '{"action":"sendMessage","requestId":"g","roomId":"r1","payload":{"text":"\\ud800"},"more":1}',
        '{"version":"1.0","action":"sendMessage","requestId":"g","roomId":"r1"',
        '{"requestId":"g"} trailing',
        '{"action":"dance","requestId":"g"}',
    ],
)
def test_schema_off_acknowledges_what_is_malformed(serving, text):
    with serving("--defect", "schema-off") as endpoint, endpoint.client() as ann:
        ann.ask("joinRoom", "j")
        ann.raw(text)
        assert ann.until("g")[-1]["action"] == "ack"
        assert ann.ask("ping", "p")["action"] in ("pong", "message")


def test_stale_never_keeps_a_client_that_reset_for_ever(serving):
    options = ("--ping-interval-s", "0.1", "--ping-timeout-s", "0.1", "--defect", "stale-never")
    with serving(*options) as endpoint:
        with endpoint.client(key="polite"), endpoint.client(key="rude") as rude:
            sock = rude.connection.socket
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            rude.connection.close_socket()
        endpoint.eventually_listed({"rude"})
        time.sleep(1)
        endpoint.eventually_listed({"rude"})
