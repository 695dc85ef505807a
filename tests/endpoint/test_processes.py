"""Several processes over Redis are one endpoint; one that dies takes only its own clients; Redis may go away."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.waiting import until

pytestmark = pytest.mark.slow(reason="starts several processes over Redis")

WIDE = ("--throttle-per-s", "100000", "--throttle-burst", "100000")


@pytest.fixture(scope="module")
def pair(serving, redis):
    """Two processes as one endpoint."""
    with serving(*WIDE, "--processes", "2", "--store", redis.fresh()) as endpoint:
        yield endpoint


def children(endpoint):
    pid = endpoint.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def holder(client, pids):
    """The process at the other end of a client's socket."""
    socket = client.connection.socket
    theirs, ours = (f":{address[1]:04X}" for address in (socket.getpeername(), socket.getsockname()))

    def found():  # the kernel's table is not read as one, so a line may be missed
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        inodes = {line[9] for line in lines if line[1].endswith(theirs) and line[2].endswith(ours)}
        for pid in pids:
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in {f"socket:[{inode}]" for inode in inodes}:
                        return pid
        return None

    return until(found)


@contextlib.contextmanager
def both(endpoint):
    """A client of each of the two processes."""
    pids = children(endpoint)
    with contextlib.ExitStack() as stack:
        found = {}

        def connect():
            key = f"c{time.monotonic_ns()}"
            client = stack.enter_context(endpoint.client(f"user{len(found)}", key))
            found.setdefault(holder(client, pids), (client, key))
            return len(found) == 2

        until(connect)
        yield [found[pid] for pid in pids]


def test_a_room_spans_the_processes_and_everybody_hears_the_same_order(pair):
    with both(pair) as ((ann, _), (bob, _)):
        for client in (ann, bob):
            client.ask("joinRoom", "j", "span")
        for number in range(100):
            ann.send("sendMessage", f"a{number}", "span", text="x")
            bob.send("sendMessage", f"b{number}", "span", text="x")
        heard = []
        for client in (ann, bob):
            frames = [client.get() for _ in range(300)]
            heard.append([frame for frame in frames if frame["action"] == "message"])
            assert sum(frame["action"] == "ack" for frame in frames) == 100
        seqs = [[frame["seq"] for frame in each] for each in heard]
        assert heard[0] == heard[1] and seqs[0] == list(range(seqs[0][0], seqs[0][0] + 200))
        assert [frame["requestId"] for frame in heard[0] if frame["requestId"][0] == "a"] == [
            f"a{n}" for n in range(100)
        ]


def test_whoever_leaves_after_an_acknowledgement_has_had_the_message(pair):
    with both(pair) as ((ann, _), (bob, _)):
        ann.ask("joinRoom", "j", "leaving")
        for number in range(50):
            bob.ask("joinRoom", "j", "leaving")
            ann.send("sendMessage", f"m{number}", "leaving", text="x")
            ann.until(f"m{number}")
            bob.send("leaveRoom", f"l{number}", "leaving")
            assert f"m{number}" in [frame["requestId"] for frame in bob.until(f"l{number}")]


def listed_by_both(pair, keys):
    """The connections' ids by client, once one look has all of them: each may be answered by another process."""
    listed = {item["clientId"]: item["connectionId"] for item in pair.listed()}
    return listed if keys <= listed.keys() else None


def test_any_process_lists_pushes_to_and_ends_the_connections_of_all(pair):
    with both(pair) as ((ann, ann_key), (bob, bob_key)):
        listed = until(lambda: listed_by_both(pair, {ann_key, bob_key}))
        for _ in range(5):  # whichever process answers
            for client, key in ((ann, ann_key), (bob, bob_key)):
                path = f"/@connections/{listed[key].replace('=', '%3D')}"
                assert pair.call("POST", path, json.dumps({"pushed": key}).encode(), pair.admin())[0] == 200
                assert client.get() == {"pushed": key}
                assert pair.call("GET", path, token=pair.admin())[1]["identity"]["sourceIp"] == "127.0.0.1"
        path = f"/@connections/{listed[bob_key].replace('=', '%3D')}"
        assert pair.call("DELETE", path, token=pair.admin())[0] == 204
        assert bob.close_code() == 1000
        until(lambda: pair.call("GET", path, token=pair.admin())[0] == 410)


def test_a_killed_process_loses_only_its_own_clients_is_replaced_and_its_rows_are_swept(serving, redis):
    with (
        serving(*WIDE, "--processes", "2", "--store", redis.fresh()) as endpoint,
        both(endpoint) as ((ann, ann_key), (bob, bob_key)),
    ):
        ann.ask("joinRoom", "j", "r1")
        before = children(endpoint)
        os.kill(before[0], signal.SIGKILL)
        with pytest.raises(ConnectionClosed):
            ann.get()
        assert bob.ask("joinRoom", "j", "r1")["action"] == "ack"
        bob.send("sendMessage", "m", "r1", text="still here")
        assert {bob.get()["action"], bob.get()["action"]} == {"ack", "message"}
        until(lambda: len(children(endpoint)) >= 2)
        assert before[1] in children(endpoint)
        until(lambda: bob_key in (keys := {item["clientId"] for item in endpoint.listed()}) and ann_key not in keys)
        assert "SIGKILL" in endpoint.log
        with both(endpoint) as ((_, _), (_, _)):
            assert bob.ask("ping", "p")["action"] == "pong"


@pytest.mark.parametrize(
    ("defect", "least", "most"), [((), 15, 20), (("--defect", "throttle-per-process"), 30, 40)], ids=["right", "defect"]
)
def test_a_tenant_s_bucket_is_one_for_all_processes_but_with_the_defect(serving, redis, defect, least, most):
    options = ("--tenant-per-s", "0.001", "--tenant-burst", "20", "--throttle-burst", "1000", *defect)
    with serving("--processes", "2", "--store", redis.fresh(), *options) as endpoint, both(endpoint) as pairs:
        passed = 0
        for number in range(60):
            for client, _ in pairs:
                passed += client.ask("ping", str(number))["action"] == "pong"
        assert least <= passed <= most


def test_a_supervisor_that_is_told_to_stop_stops_all_and_says_goodbye(serving, redis):
    with serving("--processes", "2", "--store", redis.fresh()) as endpoint, both(endpoint) as ((ann, _), (bob, _)):
        pids = children(endpoint)
        endpoint.process.terminate()
        assert (ann.close_code(), bob.close_code()) == (1001, 1001)
        assert endpoint.process.wait(20) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
        endpoint.process.poll = lambda: None  # the fixture expects it to be alive still


def test_a_port_that_another_endpoint_holds_is_taken_for_several_processes_too(serving, redis):
    with serving("--processes", "2", "--store", redis.fresh()) as endpoint:
        port = endpoint.http.rpartition(":")[2]
        command = [sys.executable, "-m", "harness.endpoint", "serve", "--port", port]
        for more in ((), ("--processes", "2", "--store", redis.fresh())):
            ended = subprocess.run([*command, *more], capture_output=True, text=True, timeout=20)
            assert ended.returncode == 2 and "Address already in use" in ended.stderr


def test_when_redis_goes_clients_are_told_1013_readiness_fails_and_all_is_well_once_it_is_back(serving, redis):
    with serving("--store", redis.fresh(), "--store-grace-s", "0.3") as endpoint:
        with endpoint.client() as ann:
            ann.ask("joinRoom", "j")
            redis.stop()
            try:
                assert ann.close_code() == 1013
                assert endpoint.call("GET", "/ready")[0] == 503
                assert endpoint.call("GET", "/health")[0] == 200
                with pytest.raises(InvalidStatus) as caught, endpoint.client():
                    pass
                assert caught.value.response.status_code == 503
                assert int(caught.value.response.headers["Retry-After"]) >= 1
            finally:
                redis.start()
        until(lambda: endpoint.call("GET", "/ready")[0] == 200)
        with endpoint.client(key="again") as ann:
            ann.ask("joinRoom", "j")
            ann.send("sendMessage", "m", text="back")
            assert {ann.get()["action"], ann.get()["action"]} == {"ack", "message"}
            assert {item["clientId"] for item in endpoint.listed()} == {"again"}


def test_a_short_absence_of_redis_is_bridged_and_the_message_arrives(serving, redis):
    with serving("--store", redis.fresh(), "--store-grace-s", "60") as endpoint, endpoint.client() as ann:
        ann.ask("joinRoom", "j")
        assert redis.process is not None
        redis.process.send_signal(signal.SIGSTOP)
        try:
            ann.send("sendMessage", "m", text="patience")
            time.sleep(0.3)
        finally:
            redis.process.send_signal(signal.SIGCONT)
        assert {ann.get()["action"], ann.get()["action"]} == {"ack", "message"}


def test_a_message_that_redis_never_takes_is_503_and_a_dead_letter_once_it_is_back(serving, redis):
    with serving("--store", redis.fresh(), "--store-grace-s", "60") as endpoint, endpoint.client() as ann:
        ann.ask("joinRoom", "j")
        redis.stop()
        try:
            answer = ann.ask("sendMessage", "lost", text="x")
            assert (answer["requestId"], answer["payload"]["code"]) == ("lost", 503)
        finally:
            redis.start()
        letters = until(lambda: endpoint.call("GET", "/dead-letters", token=endpoint.admin())[1].get("deadLetters"))
        assert [letter["requestId"] for letter in letters] == ["lost"] and "Redis" in letters[0]["reason"]
