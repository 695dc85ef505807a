"""Throttle, liveness, slow consumers: what happens to clients that are too fast, too slow or gone."""

import json
import socket
import sqlite3
import struct
import time


def test_beyond_the_burst_a_frame_gets_429_with_its_id_and_the_connection_stays(serving):
    with serving() as endpoint, endpoint.client() as ann:
        for number in range(25):
            ann.send("ping", f"p{number}")
        answers = [ann.get() for _ in range(25)]
        assert [answer["requestId"] for answer in answers] == [f"p{number}" for number in range(25)]
        assert [answer["action"] for answer in answers[:20]] == ["pong"] * 20
        assert answers[-1]["action"] == "error" and answers[-1]["payload"]["code"] == 429
        time.sleep(0.3)
        assert ann.ask("ping", "later")["action"] == "pong"


def test_a_dead_client_is_closed_after_the_ping_timeout(serving):
    with serving("--ping-interval-s", "0.3", "--ping-timeout-s", "0.3") as endpoint, endpoint.client(key="alive"):
        dead, ended = upgraded(endpoint, "dead"), False
        with dead:
            endpoint.eventually_listed({"alive", "dead"})
            endpoint.eventually_listed({"alive"})
            try:
                while dead.recv(65536):
                    pass
                ended = True
            except ConnectionResetError:
                ended = True
        assert ended


def test_a_client_that_answers_pings_stays_for_many_timeouts(serving):
    with serving("--ping-interval-s", "0.1", "--ping-timeout-s", "0.1") as endpoint, endpoint.client(key="k") as ann:
        time.sleep(1.5)
        assert ann.ask("ping", "p")["action"] == "pong"


def test_a_client_that_resets_is_off_the_list(serving):
    with serving() as endpoint:
        client = upgraded(endpoint, "reset")
        endpoint.eventually_listed({"reset"})
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        endpoint.eventually_listed(set())


def test_a_client_that_does_not_read_is_given_up_and_does_not_hold_up_the_room(serving):
    options = ("--throttle-per-s", "100000", "--throttle-burst", "100000", "--ping-interval-s", "0")
    with serving(*options) as endpoint, endpoint.client("ann", "ann") as ann:
        slow = upgraded(endpoint, "slow", receive_buffer=4096)
        with slow:
            slow.sendall(masked(frame("joinRoom", "j")))
            ann.ask("joinRoom", "j", "r1")
            while endpoint.listed()[0]["rooms"] != ["r1"] or endpoint.listed()[1]["rooms"] != ["r1"]:
                time.sleep(0.01)
            number = 0
            while "does not read" not in endpoint.log:
                ann.send("sendMessage", f"m{number}", text="x" * 30_000)
                ann.until(f"m{number}")
                number += 1
            endpoint.eventually_listed({"ann"})
            assert ann.ask("leaveRoom", "l")


def test_an_idle_client_is_closed_with_1001_and_a_busy_one_is_not(serving):
    with (
        serving("--idle-timeout-s", "0.6") as endpoint,
        endpoint.client("idle") as idle,
        endpoint.client("busy") as busy,
    ):
        for number in range(12):
            assert busy.ask("ping", str(number))["action"] == "pong"
            time.sleep(0.1)
        assert idle.close_code() == 1001
        assert busy.ask("ping", "still")["action"] == "pong"


def test_even_a_busy_client_is_closed_with_1001_when_its_lifetime_is_over(serving):
    with serving("--max-lifetime-s", "0.5", "--throttle-burst", "100000") as endpoint, endpoint.client() as ann:
        assert ann.ask("ping", "p")["action"] == "pong"
        assert ann.close_code() == 1001


def test_the_table_in_a_file_follows_the_connections(serving, tmp_path):
    file = tmp_path / "store.db"
    with serving("--store", str(file)) as endpoint:
        with endpoint.client("ann", "k") as ann:
            ann.ask("joinRoom", "j", "red")
            assert wait_for_row(file) == ("k", "ann", "t1", "red")
        while wait_for_row(file, present=False):
            time.sleep(0.02)


def wait_for_row(file, present=True):
    while True:
        database = sqlite3.connect(file)
        row = database.execute("SELECT client_id, user, tenant, rooms FROM connections").fetchone()
        database.close()
        if not present or (row and row[3]):
            return row
        time.sleep(0.02)


def upgraded(endpoint, key, receive_buffer=0):
    """A raw socket past the upgrade, which never answers anything by itself."""
    host, port = endpoint.http.removeprefix("http://").split(":")
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect((host, int(port)))
    client.sendall(
        f"GET /ws?client={key}&token={endpoint.token(key)} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    assert head.startswith(b"HTTP/1.1 101")
    return client


def frame(action, id):
    return json.dumps({"version": "1.0", "action": action, "requestId": id, "roomId": "r1", "timestamp": 1}).encode()


def masked(payload):
    return bytes((0x81, 0x80 | 126)) + len(payload).to_bytes(2, "big") + b"\x00\x00\x00\x00" + payload
