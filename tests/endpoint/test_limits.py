"""Throttle, liveness, slow consumers: what happens to clients that are too fast, too slow or gone."""

import contextlib
import itertools
import json
import socket
import sqlite3
import struct
import time

import pytest

from tests.endpoint.raw import frame, masked, upgraded
from tests.waiting import until

NUMBERS = itertools.count()

pytestmark = pytest.mark.slow(reason="waits for limits of time to pass")


def test_beyond_the_burst_a_frame_gets_429_with_its_id_and_the_connection_stays(serving):
    with serving() as endpoint, endpoint.client() as ann:
        for number in range(25):
            ann.send("ping", f"p{number}")
        answers = [ann.get() for _ in range(25)]
        assert [answer["requestId"] for answer in answers] == [f"p{number}" for number in range(25)]
        assert [answer["action"] for answer in answers[:20]] == ["pong"] * 20
        assert answers[-1]["action"] == "error" and answers[-1]["payload"]["code"] == 429
        until(lambda: ann.ask("ping", "later")["action"] == "pong")


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
    with serving("--ping-interval-s", "0.1", "--ping-timeout-s", "0.5") as endpoint, endpoint.client(key="k") as ann:
        time.sleep(2.5)  # five time-outs, each longer than a busy machine takes for an answer
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
            until(lambda: endpoint.listed()[0]["rooms"] == ["r1"] and endpoint.listed()[1]["rooms"] == ["r1"])
            until(lambda: said(ann) and "does not read" in endpoint.log)
            endpoint.eventually_listed({"ann"})
            assert ann.ask("leaveRoom", "l")


def test_an_idle_client_is_closed_with_1001_and_a_busy_one_is_not(serving):
    with (
        serving("--idle-timeout-s", "1.5") as endpoint,
        endpoint.client("idle") as idle,
        endpoint.client("busy") as busy,
    ):
        for number in range(20):
            assert busy.ask("ping", str(number))["action"] == "pong"
            time.sleep(0.1)
        assert idle.close_code() == 1001
        assert busy.ask("ping", "still")["action"] == "pong"


def test_even_a_busy_client_is_closed_with_1001_when_its_lifetime_is_over(serving):
    with serving("--max-lifetime-s", "0.5", "--throttle-burst", "100000") as endpoint, endpoint.client() as ann:
        assert ann.ask("ping", "p")["action"] == "pong"
        assert ann.close_code() == 1001


def test_a_client_is_closed_with_4401_when_its_token_has_expired(serving):
    with (
        serving() as endpoint,
        endpoint.client("old", "old", exp=int(time.time()) + 2) as old,
        endpoint.client("new", "new") as new,
    ):
        assert old.ask("ping", "p")["action"] == "pong"
        assert old.close_code() == 4401
        endpoint.eventually_listed({"new"})
        assert new.ask("ping", "p")["action"] == "pong"


def test_the_table_in_a_file_follows_the_connections(serving, tmp_path):
    file = tmp_path / "store.db"
    with serving("--store", str(file)) as endpoint:
        with endpoint.client("ann", "k") as ann:
            ann.ask("joinRoom", "j", "red")
            until(lambda: row_of(file) == ("k", "ann", "t1", "red"))
        until(lambda: row_of(file) is None)


def row_of(file):
    with contextlib.closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT client_id, user, tenant, rooms FROM connections").fetchone()


def said(client):
    """A long message is said and acknowledged."""
    id = f"m{next(NUMBERS)}"
    client.send("sendMessage", id, text="x" * 30_000)
    return client.until(id)


def both_join(endpoint, ann, slow):
    """Both are in the room."""
    slow.sendall(masked(frame("joinRoom", "j")))
    ann.ask("joinRoom", "j", "r1")
    until(lambda: [item["rooms"] for item in endpoint.listed()] == [["r1"], ["r1"]])


OPTIONS = ("--throttle-per-s", "100000", "--throttle-burst", "100000", "--ping-interval-s", "0")


def frames_until(client, last):
    """Every frame up to the first that `last` is true of, as (first byte, payload)."""
    data, found = bytearray(), []
    while not found or not last(*found[-1]):
        chunk = client.recv(1 << 20)
        assert chunk, found[-1:]
        data += chunk
        while len(data) > 9:
            size, at = data[1], 2
            if size > 125:
                at = 4 if size == 126 else 10
                size = int.from_bytes(data[2:at], "big")
            if len(data) < at + size:
                break
            found.append((data[0], bytes(data[at : at + size])))
            del data[: at + size]
    return found


def test_drop_oldest_keeps_a_slow_client_and_gives_it_the_newest_in_order(serving):
    with (
        serving(*OPTIONS, "--slow-consumer", "drop-oldest", "--unsent-bytes", "200000") as endpoint,
        endpoint.client() as ann,
        upgraded(endpoint, "slow", receive_buffer=4096) as slow,
    ):
        both_join(endpoint, ann, slow)
        for number in range(400):
            ann.send("sendMessage", f"m{number}", text="x" * 30_000)
            ann.until(f"m{number}")
        frames = frames_until(slow, lambda _first, payload: payload.endswith(b'"seq":400}'))
        seqs = [json.loads(payload)["seq"] for first, payload in frames if b'"message"' in payload]
        assert seqs == sorted(seqs) and seqs[0] == 1 and len(seqs) < 400


@pytest.mark.parametrize("code", [1008, 1013])
def test_a_slow_client_is_closed_with_the_code_of_the_policy(serving, code):
    with (
        serving(*OPTIONS, "--slow-consumer", f"close-{code}", "--unsent-bytes", "200000") as endpoint,
        endpoint.client() as ann,
        upgraded(endpoint, "slow", receive_buffer=65536) as slow,
    ):
        both_join(endpoint, ann, slow)
        until(lambda: said(ann) and "does not read" in endpoint.log)
        (*_, (_, payload)) = frames_until(slow, lambda first, _payload: first == 0x88)
        assert payload == code.to_bytes(2, "big") + b"too slow"


def test_the_nth_violation_closes_with_1008_and_one_less_does_not(serving):
    with serving("--max-violations", "3") as endpoint:
        with endpoint.client() as ann:
            for _ in range(2):
                ann.raw("{")
                assert ann.get()["payload"]["code"] == 400
            assert ann.ask("ping", "p")["action"] == "pong"
            ann.raw("{")
            assert ann.close_code() == 1008
        with endpoint.client() as bob:
            for number in range(23):
                bob.send("ping", str(number))
            assert bob.close_code() == 1008


def test_a_tenant_over_its_limit_is_throttled_and_another_is_not(serving):
    options = ("--tenant-per-s", "0.001", "--tenant-burst", "10", "--throttle-burst", "100")
    with (
        serving(*options) as endpoint,
        endpoint.client("ann", tenant="noisy") as ann,
        endpoint.client("abe", tenant="noisy") as abe,
        endpoint.client("eve", tenant="quiet") as eve,
    ):
        answers = [client.ask("ping", str(number))["action"] for number in range(10) for client in (ann, abe)]
        assert answers == ["pong"] * 10 + ["error"] * 10
        assert eve.ask("ping", "e")["action"] == "pong"


def test_the_whole_endpoint_s_limit_holds_over_all_tenants(serving):
    options = ("--endpoint-per-s", "0.001", "--endpoint-burst", "6", "--throttle-burst", "100")
    with serving(*options) as endpoint, endpoint.client("a", tenant="a") as a, endpoint.client("b", tenant="b") as b:
        answers = [client.ask("ping", str(number)) for number in range(5) for client in (a, b)]
        assert [answer["action"] for answer in answers] == ["pong"] * 6 + ["error"] * 4
        assert answers[-1]["payload"]["code"] == 429 and answers[-1]["requestId"] == "4"


def test_without_pings_a_client_that_gives_no_sign_of_life_is_swept_after_its_time_to_live(serving):
    options = ("--ping-interval-s", "0", "--ttl-s", "0.5", "--throttle-burst", "100000")
    with serving(*options) as endpoint, endpoint.client(key="alive") as alive, upgraded(endpoint, "dead"):
        pongs = (alive.ask("ping", str(number))["action"] for number in itertools.count())
        until(lambda: next(pongs) == "pong" and {item["clientId"] for item in endpoint.listed()} == {"alive"})


def test_a_giant_room_does_not_hold_up_another_rooms_message(serving):
    """The giant's fan-out is written in slices; a message of a small room that comes meanwhile goes between them."""
    with serving(*OPTIONS) as endpoint, contextlib.ExitStack() as stack:
        giants = [stack.enter_context(upgraded(endpoint, f"g{number}")) for number in range(600)]
        for giant in giants:
            giant.sendall(masked(frame("joinRoom", "j")))
            assert b'"ack"' in giant.recv(4096)
        ann = stack.enter_context(endpoint.client("ann"))
        ann.ask("joinRoom", "j", "r1")
        ann.ask("joinRoom", "k", "small")
        for number in range(20):
            ann.send("sendMessage", f"g{number}", "r1", text="x" * 1000)
        ann.send("sendMessage", "small", "small", text="y")
        frames = [ann.get() for _ in range(42)]  # 21 acks, 21 messages
        order = [each["requestId"] for each in frames if each["action"] == "message"]
        assert [each for each in order if each != "small"] == [f"g{number}" for number in range(20)]
        assert order.index("small") < 20
        (*_, (_, payload)) = frames_until(giants[-1], lambda _first, payload: b'"g19"' in payload)
        assert json.loads(payload)["seq"] == 20
