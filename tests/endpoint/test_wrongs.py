"""Each defect over real sockets: the endpoint is wrong in just the way its line says, and in that way only."""

import contextlib
import json
import socket
import sqlite3
import struct
import time
from random import Random

import pytest
from websockets.exceptions import InvalidStatus

from harness.endpoint.defects import REGISTRY
from harness.endpoint.policies import honest_policies
from harness.endpoint.settings import Settings
from harness.endpoint.state import Event
from harness.endpoint.tokens import Verifier
from tests.waiting import until

pytestmark = pytest.mark.slow(reason="one server is started for each defect")

WIDE = ("--throttle-per-s", "100000", "--throttle-burst", "100000")
FAST_PINGS = ("--ping-interval-s", "0.1", "--ping-timeout-s", "0.1")


def messages(frames):
    return [frame["requestId"] for frame in frames if frame["action"] == "message"]


def chat(endpoint, count=100, **claims):
    """One client alone in a room says `count` things; everything it hears."""
    with endpoint.client(**claims) as ann:
        ann.ask("joinRoom", "j")
        for number in range(count):
            ann.send("sendMessage", f"m{number}", text="x")
        return drained(ann)


def drained(client, quiet_s=0.3):
    """All frames until nothing has come for a while."""
    frames = []
    while True:
        try:
            frames.append(client.get(quiet_s))
        except TimeoutError:
            return frames


def has_joined(path):
    """Whether all that a join leaves in the store is there; until then the store must not be locked."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        members = database.execute("SELECT count(*) FROM connections WHERE rooms <> ''").fetchone()[0]
        return members and database.execute("SELECT count(*) FROM rooms").fetchone()[0]


def vanish(client):
    """Reset the connection, as a crash does."""
    sock = client.connection.socket
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.connection.close_socket()


def acks(frames):
    return [frame["requestId"] for frame in frames if frame["action"] == "ack"]


# -- deliveries -----------------------------------------------------------------------------------------------------


def test_reorder_delivers_all_but_not_in_order(serving):
    with serving(*WIDE, "--defect", "reorder=0.2") as endpoint:
        got = messages(chat(endpoint))
    wanted = [f"m{number}" for number in range(100)]
    assert got != wanted and set(got) >= set(wanted[:-1]) and len(got) == len(set(got))


def test_delay_delivers_in_order_and_late_while_acks_come_at_once(serving):
    with serving(*WIDE, "--defect", "delay=700") as endpoint, endpoint.client() as ann:
        ann.ask("joinRoom", "j")
        for number in range(5):
            ann.send("sendMessage", f"m{number}", text="x")
        frames = [ann.get() for _ in range(10)]
    assert [frame["action"] for frame in frames] == ["ack"] * 5 + ["message"] * 5
    assert messages(frames) == [f"m{number}" for number in range(5)]


@pytest.mark.parametrize(("defect", "tenant", "stranger_gets"), [
    ("leak-room=1", "t1", True), ("leak-room=1", "t2", False), ("leak-tenant=1", "t2", True),
    ("leak-tenant=1", "t1", False),
])  # fmt: skip
def test_leaks_reach_strangers_of_the_right_kind(serving, defect, tenant, stranger_gets):
    with serving(*WIDE, "--defect", defect) as endpoint, endpoint.client("eve", tenant=tenant) as eve:
        eve.ask("joinRoom", "e", room="elsewhere")
        chat(endpoint, 5)
        heard = messages(drained(eve))
    assert bool(heard) is stranger_gets


def test_ghosts_are_messages_nobody_sent(serving):
    with serving(*WIDE, "--defect", "ghost=0.2") as endpoint:
        got = messages(chat(endpoint))
    sent = {f"m{number}" for number in range(100)}
    assert sent <= set(got) and 0 < len(set(got) - sent) < 60


def test_a_poisoned_room_falls_silent_and_others_do_not(serving):
    with serving(*WIDE, "--defect", "poisoned-room") as endpoint, endpoint.client() as ann:
        for room in ("r1", "r2"):
            ann.ask("joinRoom", room, room=room)
        assert ann.ask("sendMessage", "bad", room="r1")["payload"]["code"] == 400
        for room in ("r1", "r2"):
            ann.send("sendMessage", f"in-{room}", room=room, text="x")
        frames = drained(ann)
    assert sorted(acks(frames)) == ["in-r1", "in-r2"] and messages(frames) == ["in-r2"]


def test_a_slow_consumer_holds_its_room_up_with_the_defect_only(serving):
    heard = {}
    for defect in ((), ("--defect", "slow-consumer-blocks=60")):
        with (
            serving(*WIDE, "--unsent-bytes", "100000000", *defect) as endpoint,
            endpoint.client("slow") as slow,  # reads 16 messages ahead, then no more until it is asked
            endpoint.client("ann") as ann,
        ):
            slow.ask("joinRoom", "j")
            ann.ask("joinRoom", "j")
            for number in range(400):
                ann.send("sendMessage", f"m{number}", text="x" * 30_000)
            heard[bool(defect)] = len(messages(drained(ann, 1.0)))
            vanish(slow)
    assert heard[False] == 400 and heard[True] < 400


def test_with_a_starving_giant_all_rooms_wait_in_one_queue_and_no_slice_ends_early():
    honest = honest_policies(Settings(), Verifier("x" * 32))
    starving = REGISTRY["giant-room-starves"].apply(honest, 0.0, Random(1))
    events = [Event("t1", f"r{number}", 0, "i", "ann", "x", 1, "") for number in range(50)]
    assert len({honest.shard(event, 8) for event in events}) == 8
    assert {starving.shard(event, 8) for event in events} == {0}
    assert starving.slice > 1_000_000 > honest.slice


# -- answers --------------------------------------------------------------------------------------------------------


def test_late_acks_come_after_their_own_delivery(serving):
    with serving(*WIDE, "--defect", "ack-late=300") as endpoint, endpoint.client() as ann:
        ann.ask("joinRoom", "j")
        ann.send("sendMessage", "m", text="x")
        assert [ann.get()["action"], ann.get()["action"]] == ["message", "ack"]


def test_some_acks_never_come_and_all_deliveries_do(serving):
    with serving(*WIDE, "--defect", "ack-never=0.2", "--seed", "2") as endpoint, endpoint.client() as ann:
        ann.send("joinRoom", "j")
        for number in range(100):
            ann.send("sendMessage", f"m{number}", text="x")
        frames = drained(ann)
    assert len(messages(frames)) == 100 and 50 < len(acks(frames)) < 100


@pytest.mark.parametrize(("defect", "answer"), [((), "error"), (("--defect", "ack-early"), "ack")])
def test_an_early_ack_is_for_what_is_not_kept(serving, tmp_path, defect, answer):
    path = tmp_path / "store.db"
    with serving(*WIDE, "--store", str(path), "--store-grace-s", "60", *defect) as endpoint, endpoint.client() as ann:
        ann.ask("joinRoom", "j")
        until(lambda: has_joined(path))
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("BEGIN EXCLUSIVE")
            ann.send("sendMessage", "m", text="x")
            frames = [ann.get(30), *drained(ann)]
            other.execute("ROLLBACK")
        other.close()
    assert [frame["action"] for frame in frames] == [answer]


def test_wrong_ids_are_those_of_the_request_before(serving):
    with serving(*WIDE, "--defect", "wrong-id=0.2") as endpoint:
        got = acks(chat(endpoint))
    wanted = [f"m{number}" for number in range(100)]
    assert got != wanted and all(id in (want, f"m{number - 1}", "j") for number, (id, want) in
                                 enumerate(zip(got, wanted, strict=True)))  # fmt: skip


def test_errors_without_id_name_nothing(serving):
    with serving("--throttle-burst", "2", "--defect", "error-without-id") as endpoint, endpoint.client() as ann:
        errors = [ann.ask("sendMessage", "m", text="x") for _ in range(3)]
    assert [error["payload"]["code"] for error in errors] == [403, 403, 429]
    assert all("requestId" not in error for error in errors)


def test_the_wrong_code_is_500_for_what_is_malformed(serving):
    with serving(*WIDE, "--defect", "wrong-error-code") as endpoint, endpoint.client() as ann:
        assert ann.ask("sendMessage", "m")["payload"]["code"] == 500
        assert ann.ask("sendMessage", "m", text="x")["payload"]["code"] == 403


def test_some_are_refused_and_delivered(serving):
    with serving(*WIDE, "--defect", "refuse-delivered=0.2") as endpoint:
        frames = chat(endpoint)
    refused = {frame["requestId"] for frame in frames if frame["action"] == "error"}
    assert len(messages(frames)) == 100 and 0 < len(refused) < 60 and refused <= set(messages(frames))


def test_no_frame_has_a_version(serving):
    with serving(*WIDE, "--defect", "version-missing") as endpoint:
        frames = chat(endpoint, 3)
    assert len(frames) == 6 and all("version" not in frame for frame in frames)


@pytest.mark.parametrize(("defect", "letters"), [((), 1), (("--defect", "dead-letters-dropped"), 0)])
def test_what_cannot_be_kept_is_gone_without_dead_letters(serving, tmp_path, defect, letters):
    path = tmp_path / "store.db"
    with serving(*WIDE, "--store", str(path), "--store-grace-s", "60", *defect) as endpoint, endpoint.client() as ann:
        ann.ask("joinRoom", "j")
        until(lambda: has_joined(path))
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert ann.ask("sendMessage", "m", text="x")["payload"]["code"] == 503
            other.execute("ROLLBACK")
        other.close()
    # The endpoint has stopped: what it did not keep by then it never will.
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM dead_letters").fetchone() == (letters,)


# -- connections ----------------------------------------------------------------------------------------------------


def test_half_open_late_still_lists_the_silent_one(serving):
    with serving(*FAST_PINGS, "--defect", "half-open-late=1.5") as endpoint, endpoint.client(key="mute") as mute:
        mute.connection.socket.setsockopt(socket.SOL_SOCKET, 26, _drop_all())
        time.sleep(1.0)
        assert {item["clientId"] for item in endpoint.listed()} == {"mute"}
        endpoint.eventually_listed(set())
        vanish(mute)


def _drop_all():
    import ctypes

    global _program
    _program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    return struct.pack("HL", 1, ctypes.addressof(_program))


def test_a_dead_connection_stays_a_member_though_it_is_not_listed(serving):
    members = {}
    for defect in ((), ("--defect", "stale-pushed")):
        with serving(*WIDE, *defect) as endpoint:
            with endpoint.client(key="rude") as rude:
                rude.ask("joinRoom", "j")
                vanish(rude)
            endpoint.eventually_listed(set())
            # a room that somebody joined is made in the background
            rooms = until(lambda: endpoint.call("GET", "/rooms", token=endpoint.token())[1]["rooms"])
            members[bool(defect)] = [room["members"] for room in rooms]
    assert members == {False: [0], True: [1]}


def test_reconnect_drops_the_new_connections_memberships(serving):
    heard = {}
    for defect in ((), ("--defect", "reconnect-drops")):
        with serving(*WIDE, *defect) as endpoint, endpoint.client(key="old") as old, endpoint.client(key="new") as new:
            old.ask("joinRoom", "j")
            new.ask("joinRoom", "j")
            vanish(old)
            endpoint.eventually_listed({"new"})
            with endpoint.client("bob") as bob:
                bob.ask("joinRoom", "j")
                bob.ask("sendMessage", "m", text="x")
                heard[bool(defect)] = messages(drained(new))
    assert heard == {False: ["m"], True: []}


def test_a_forgotten_sender_is_alive_and_not_listed(serving):
    with serving(*WIDE, "--defect", "forgets=1") as endpoint, endpoint.client(key="ann") as ann:
        ann.ask("joinRoom", "j")
        endpoint.eventually_listed({"ann"})
        for id in ("a", "b"):
            ann.send("sendMessage", id, text="x")
        assert messages(drained(ann)) == ["a", "b"]
        endpoint.eventually_listed(set())


def test_cuts_end_a_connection_without_a_close_frame(serving):
    with serving(*WIDE, "--defect", "cuts=1") as endpoint, endpoint.client() as ann:
        ann.ask("joinRoom", "j")
        ann.send("sendMessage", "m", text="x")
        assert ann.close_code() == 1006


def test_the_wrong_close_is_1000_for_what_is_too_big(serving):
    with serving(*WIDE, "--defect", "wrong-close") as endpoint, endpoint.client() as ann:
        ann.raw("x" * 200_000)
        assert ann.close_code() == 1000


def test_neither_kind_of_ping_is_answered(serving):
    with serving(*WIDE, "--defect", "pings-ignored") as endpoint, endpoint.client() as ann:
        pong = ann.connection.ping()
        ann.send("ping", "p")
        assert ann.ask("joinRoom", "j")["requestId"] == "j"
        assert not pong.wait(0.3)


def test_a_heavy_connect_holds_everybody_up(serving):
    with serving("--defect", "connect-heavy=300") as endpoint:
        took_s = []
        for _ in range(3):
            began_s = time.monotonic()
            with endpoint.client():
                took_s.append(time.monotonic() - began_s)
    assert min(took_s) >= 0.3


def test_some_connects_fail_with_502_and_rest_does_not(serving):
    with serving("--defect", "connect-fails=0.5") as endpoint:
        statuses = []
        for _ in range(20):
            try:
                with endpoint.client():
                    statuses.append(101)
            except InvalidStatus as refused:
                statuses.append(refused.response.status_code)
            endpoint.listed()
    assert set(statuses) == {101, 502}


def test_memory_grows_by_what_each_message_leaves(serving):
    with serving(*WIDE, "--defect", "memory-growth=512") as endpoint:
        before = _resident(endpoint)
        chat(endpoint, 100)
        assert _resident(endpoint) - before > 40 * 2**20


def _resident(endpoint):
    return endpoint.metrics()["process_resident_memory_bytes"]


# -- limits ---------------------------------------------------------------------------------------------------------


def test_a_low_throttle_lets_a_fifth_through(serving):
    accepted = {}
    for defect in ((), ("--defect", "throttle-low=0.2")):
        with serving("--throttle-per-s", "0.001", "--throttle-burst", "20", *defect) as endpoint:
            accepted[bool(defect)] = len(acks(chat(endpoint, 30)))
    assert accepted == {False: 19, True: 3}  # the join spent one


def test_a_silent_throttle_cuts_without_a_word(serving):
    with serving("--throttle-burst", "2", "--defect", "throttle-silent") as endpoint, endpoint.client() as ann:
        ann.ask("joinRoom", "j")
        for number in range(5):
            ann.send("sendMessage", f"m{number}", text="x")
        assert ann.close_code() == 1006


# -- schema ---------------------------------------------------------------------------------------------------------

VALID = {"version": "1.0", "action": "sendMessage", "requestId": "g", "roomId": "r1", "timestamp": 1}
BROKEN = {
    "schema-extra": VALID | {"payload": {"text": "x", "more": 1}},
    "schema-oversize": VALID | {"payload": {"text": "x" * 100_001}},
    "schema-deep": VALID | {"payload": {"text": {"d": {"d": {"d": 1}}}}},
}


@pytest.mark.parametrize("defect", BROKEN)
@pytest.mark.parametrize("broken", BROKEN)
def test_a_schema_defect_accepts_its_own_kind_only(serving, defect, broken):
    options = (*WIDE, "--max-frame-bytes", "131072", "--defect", defect)
    with serving(*options) as endpoint, endpoint.client() as ann:
        ann.ask("joinRoom", "j")
        ann.raw(json.dumps(BROKEN[broken]))
        assert ann.until("g")[-1]["action"] == ("ack" if broken == defect else "error")


# -- rights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("defect", "status"), [((), 401), (("--defect", "expired-accepted"), 101)])
def test_an_expired_token_is_let_in_with_the_defect_only(serving, defect, status):
    with serving(*defect) as endpoint:
        assert _status(endpoint, exp=int(time.time()) - 100) == status
        assert _status(endpoint, aud="elsewhere") == 401


def _status(endpoint, **claims):
    try:
        with endpoint.client(**claims):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_another_tenants_room_can_be_heard_by_its_full_name_with_the_defect_only(serving):
    heard = {}
    for defect in ((), ("--defect", "tenant-once")):
        with serving(*WIDE, *defect) as endpoint, endpoint.client("eve", tenant="t2") as eve:
            eve.send("joinRoom", "j", room="tenant:t1:r1")
            answered = eve.get()["action"]
            chat(endpoint, 3)
            heard[bool(defect)] = answered, messages(drained(eve))
    assert heard == {False: ("error", []), True: ("ack", ["m0", "m1", "m2"])}


@pytest.mark.parametrize(("defect", "answer"), [((), "error"), (("--defect", "join-open"), "ack")])
def test_the_admins_room_can_be_joined_with_the_defect_only(serving, defect, answer):
    with serving(*WIDE, *defect) as endpoint, endpoint.client() as ann:
        assert ann.ask("joinRoom", "j", room="admin.secrets")["action"] == answer
