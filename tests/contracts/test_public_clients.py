"""Clients that we did not write: Node's `ws`, `wscat`, Python's `websockets`, `curl`. Each connects, joins, sends,
receives what was sent, and gets a push through the management API, which `curl` makes.
"""

import contextlib
import json
import shutil
import subprocess
from urllib.parse import quote

import pytest

from tests.contracts.conftest import HERE
from tests.npm import beside, found

pytestmark = pytest.mark.slow(reason="installs and starts public clients from npm")

PUSH = '{"pushed":"bye"}'


def frame(action, id, room, **more):
    return json.dumps({"version": "1.0", "action": action, "requestId": id, "roomId": room, "timestamp": 1} | more)


@pytest.fixture
def curl(endpoint):
    """`curl ARGUMENTS PATH` with a token: the status and the body."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")

    def run(path, *arguments, token=""):
        command = [program, "--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}"]
        command += ["--header", f"Authorization: Bearer {token or endpoint.token()}", *arguments, endpoint.http + path]
        body, _, status = subprocess.check_output(command, text=True).rpartition("\n")
        return int(status), body

    return run


@pytest.fixture
def push(endpoint, curl):
    """Push to the one client that is connected."""

    def run():
        (item,) = endpoint.listed()
        path = f"/@connections/{quote(item['connectionId'], safe='')}"
        assert curl(path, "--data", PUSH, token=endpoint.admin()) == (200, "")

    yield run
    endpoint.eventually_listed(set())


def kinds(frames):
    return [(item["action"], item.get("requestId"), item.get("payload", {}).get("text")) for item in frames]


def test_ws_of_node_joins_sends_receives_and_is_pushed_to(endpoint, npm, push):
    command = [found("node"), str(beside(npm, HERE / "client.mjs")), endpoint.url, endpoint.token(), "by-ws"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        frames = [json.loads(client.stdout.readline()) for _ in range(3)]
        assert kinds(frames) == [("ack", "join", None), ("ack", "say", None), ("message", "say", "from ws")]
        push()
        assert client.stdout.read() == PUSH + "\n"
        assert client.wait(10) == 0


def test_wscat_joins_sends_receives_and_is_pushed_to(endpoint, npm, push):
    wscat = npm / "node_modules" / "wscat" / "bin" / "wscat"
    said = frame("joinRoom", "j", "by-wscat"), frame("sendMessage", "s", "by-wscat", payload={"text": "hi"})
    command = [found("node"), str(wscat), "--no-color", "--connect", f"{endpoint.url}?token={endpoint.token()}"]
    command += ["--execute", said[0], "--execute", said[1], "--wait", "-1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        frames = [json.loads(client.stdout.readline()) for _ in range(3)]
        assert kinds(frames) == [("ack", "j", None), ("ack", "s", None), ("message", "s", "hi")]
        push()
        assert client.stdout.readline() == PUSH + "\n"
        client.stdin.close()  # which ends it
        client.wait(10)


def test_websockets_of_python_joins_sends_receives_and_is_pushed_to(endpoint, push):
    with endpoint.client() as client:
        client.raw(frame("joinRoom", "j", "by-websockets"))
        client.raw(frame("sendMessage", "s", "by-websockets", payload={"text": "hi"}))
        frames = [client.get() for _ in range(3)]
        assert kinds(frames) == [("ack", "j", None), ("ack", "s", None), ("message", "s", "hi")]
        push()
        assert client.connection.recv(10) == PUSH


def test_curl_creates_posts_reads_and_follows_a_room_and_is_refused_without_a_right(endpoint, curl):
    typed = ("--header", "Content-Type: application/json", "--data")
    body = json.dumps({"version": "1.0", "requestId": "c1", "payload": {"text": "from curl"}, "timestamp": 1})
    assert curl("/rooms", *typed, '{"roomId":"by-curl"}')[0] == 201
    for seq in (1, 2, 3):
        status, accepted = curl("/rooms/by-curl/messages", *typed, body)
        assert status == 201 and json.loads(accepted)["seq"] == seq
    status, history = curl("/rooms/by-curl/messages?after=1&limit=1")
    assert status == 200 and [message["seq"] for message in json.loads(history)["messages"]] == [2]
    assert curl("/rooms/admin.x/messages")[0] == 403
    assert curl("/rooms", token="wrong")[0] == 401


def test_curl_follows_a_room_s_events_from_where_it_left_off(endpoint, curl):
    typed = ("--header", "Content-Type: application/json", "--data")
    body = json.dumps({"version": "1.0", "requestId": "c1", "payload": {"text": "x"}, "timestamp": 1})
    for _ in range(2):
        curl("/rooms/events-by-curl/messages", *typed, body)
    command = [shutil.which("curl"), "--silent", "--no-buffer", "--header", "Last-Event-ID: 1", "--header",
               f"Authorization: Bearer {endpoint.token()}", f"{endpoint.http}/rooms/events-by-curl/events"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stream:

        def event():
            fields = {}
            for line in stream.stdout:
                name, colon, value = line.rstrip("\n").partition(": ")
                if not colon and fields.get("id"):
                    return fields
                fields[name] = value
            return fields

        with contextlib.ExitStack() as stack:
            stack.callback(stream.kill)
            assert event()["id"] == "2"
            curl("/rooms/events-by-curl/messages", *typed, body)
            third = event()
    assert third["id"] == "3" and third["event"] == "message"
    assert json.loads(third["data"])["seq"] == 3
