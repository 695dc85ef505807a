"""What each frame is answered with, over real sockets."""

import contextlib
import json
import random
import time

import pytest
from websockets.exceptions import ConnectionClosed

from tests.endpoint.raw import frame, masked, upgraded
from tests.waiting import until

GOOD = {"version": "1.0", "action": "sendMessage", "requestId": "g", "roomId": "r1", "timestamp": 1}
GOOD["payload"] = {"text": "hello"}


def without(key):
    return json.dumps({name: value for name, value in GOOD.items() if name != key})


def with_(**more):
    return json.dumps(GOOD | more)


def test_join_send_leave_and_ping_are_answered_with_the_request_id(endpoint):
    with endpoint.client("ann") as ann, endpoint.client("bob") as bob:
        ack = ann.ask("joinRoom", "j1", "echo")
        assert (ack["action"], ack["requestId"], ack["roomId"], ack["version"]) == ("ack", "j1", "echo", "1.0")
        assert bob.ask("joinRoom", "j2", "echo")["action"] == "ack"
        ann.send("sendMessage", "m1", "echo", text="hi \u2713")
        assert {(frame["action"], frame["requestId"]) for frame in (ann.get(), ann.get())} == {
            ("ack", "m1"),
            ("message", "m1"),
        }
        message = bob.get()
        assert message["action"] == "message" and message["requestId"] == "m1" and message["roomId"] == "echo"
        assert message["payload"] == {"text": "hi \u2713", "sender": "ann"}
        assert ann.ask("ping", "p1")["action"] == "pong"
        assert ann.ask("leaveRoom", "l1", "echo")["action"] == "ack"
        bob.send("sendMessage", "m2", "echo", text="alone")
        bob.until("m2")
        assert ann.ask("ping", "p2")["requestId"] == "p2"  # nothing of m2 came before it


def test_sending_to_and_leaving_a_room_one_has_not_joined_is_forbidden(endpoint):
    with endpoint.client() as ann:
        for action, text in (("sendMessage", "x"), ("leaveRoom", None)):
            answer = ann.ask(action, "f1", "elsewhere", text=text)
            assert (answer["action"], answer["requestId"], answer["payload"]["code"]) == ("error", "f1", 403)


def test_an_admins_room_is_forbidden_to_members_only(endpoint):
    with endpoint.client() as ann, endpoint.client("root", roles=["member", "admin"]) as root:
        assert ann.ask("joinRoom", "a1", "admin.ops")["payload"]["code"] == 403
        assert root.ask("joinRoom", "a2", "admin.ops")["action"] == "ack"


def test_a_room_of_the_same_name_in_another_tenant_is_another_room(endpoint):
    with endpoint.client("ann", tenant="t1") as ann, endpoint.client("eve", tenant="t2") as eve:
        ann.ask("joinRoom", "j", "lobby")
        eve.ask("joinRoom", "j", "lobby")
        ann.send("sendMessage", "secret", "lobby", text="for t1")
        ann.until("secret")
        assert eve.ask("ping", "p")["action"] == "pong"


@pytest.mark.parametrize(
    ("text", "id"),
    [
        (without("requestId"), None),
        (without("roomId"), "g"),
        (without("payload"), "g"),
        (without("timestamp"), "g"),
        (without("version"), "g"),
        (without("action"), "g"),
        (with_(extra=1), "g"),
        (with_(payload={"text": "x", "more": 1}), "g"),
        (with_(payload={"text": ""}), "g"),
        (with_(payload={"text": "x" * 100_001}), "g"),
        (with_(payload=None), "g"),
        (with_(payload=[]), "g"),
        (with_(requestId=7), None),
        (with_(requestId=""), None),
        (with_(requestId="x" * 129), None),
        (with_(roomId="a b"), "g"),
        (with_(roomId="r1\n"), "g"),
        (with_(roomId="r" * 65), "g"),
        (with_(timestamp=-1), "g"),
        (with_(timestamp="1"), "g"),
        (with_(timestamp=1.5), "g"),
        (with_(version="2.0"), "g"),
        (with_(version=1.0), "g"),
        (with_(action="dance"), "g"),
        (with_(action=["sendMessage"]), "g"),
        ("[]", None),
        ("null", None),
        ('"text"', None),
        ("", None),
        ("{", None),
        ("not json", None),
        (json.dumps(GOOD)[:-1], "g"),
        (json.dumps(GOOD) + " x", "g"),
        (json.dumps(GOOD)[:-1] + ', "version": "1.0"}', "g"),
        (with_(timestamp=float("nan")), "g"),
        (json.dumps(GOOD).replace('"timestamp": 1', '"timestamp": 1e999'), "g"),
        (json.dumps(GOOD).replace('"timestamp": 1', '"timestamp": ' + "9" * 5000), "g"),
        (json.dumps(GOOD).replace("hello", "\\ud800"), "g"),
        (json.dumps(GOOD).replace("hello", "\\x"), "g"),
        ("[" * 100_000, None),
        ('{"requestId":"g","a":' + "[" * 33 + "]" * 33 + "}", "g"),
    ],
    ids=str,
)
def test_a_malformed_frame_is_answered_with_400_and_its_id_if_readable(endpoint, text, id):
    with endpoint.client() as ann:
        ann.ask("joinRoom", "j", "r1")
        ann.raw(text)
        answer = ann.get()
        assert answer["action"] == "error" and answer["payload"]["code"] == 400
        assert answer.get("requestId") == id
        assert ann.ask("ping", "p")["action"] == "pong"


def test_unknown_action_and_unknown_version_are_told_apart(endpoint):
    with endpoint.client() as ann:
        said = []
        for frame in (with_(action="dance"), with_(version="9.9")):
            ann.raw(frame)
            said.append(ann.get()["payload"]["message"])
        assert said == ["unknown action", "unknown version"]


def test_the_reason_in_detail_goes_to_the_log_and_not_to_the_client(endpoint):
    def is_logged():  # not at once where other tests have used up what the log takes in a second
        ann.raw(with_(surprising_key=1))
        assert "surprising_key" not in json.dumps(ann.get())
        return "surprising_key" in endpoint.log

    with endpoint.client() as ann:
        until(is_logged, sleep=lambda _: time.sleep(0.1))


def test_ten_thousand_fuzzed_frames_leave_it_serving(endpoint):
    """Half of them text that was bent, half of them raw bytes of frames, as many connections as those break."""
    chance = random.Random(5)
    good = json.dumps(GOOD)
    junk = ['"', "{", "}", "[", "]", "\\u0000", "\\ud800", ",", ":", "1e400", "NaN", "null", "\x00", "\u202e", "-"]
    with endpoint.client() as ann:
        ann.ask("joinRoom", "j", "r1")
        for number in range(50):
            for _ in range(100):
                text = list(good)
                for _ in range(chance.randint(1, 6)):
                    at = chance.randrange(len(text))
                    text[at : at + chance.randint(0, 3)] = chance.choice(junk)
                ann.raw("".join(text))
            ann.send("ping", f"p{number}")
            assert ann.until(f"p{number}")[-1]["action"] == "pong"
    for _ in range(500):
        with upgraded(endpoint, "fuzz") as client, contextlib.suppress(ConnectionError):
            frames = [bytearray(masked(good.encode())) for _ in range(10)]
            for each in frames:
                for _ in range(chance.randint(0, 4)):
                    each[chance.randrange(8 if chance.random() < 0.5 else len(each))] = chance.randrange(256)
            client.sendall(b"".join(frames))
    with endpoint.client() as ann:
        assert ann.ask("ping", "p")["action"] == "pong"
    assert endpoint.call("GET", "/ready") == (200, {"status": "ready"})
    assert "Traceback" not in endpoint.log


def test_a_binary_frame_is_closed_with_1003(endpoint):
    with endpoint.client() as ann:
        ann.raw(b"\x00\x01")
        assert ann.close_code() == 1003


def test_text_that_is_not_utf_8_is_closed_with_1007(endpoint):
    with endpoint.client() as ann:
        ann.connection.send(b"\xff\xfe", text=True)
        assert ann.close_code() == 1007


@pytest.mark.parametrize("size", [131_073, 300_000])
def test_a_message_over_131072_bytes_is_closed_with_1009(endpoint, size):
    with endpoint.client() as ann:
        with contextlib.suppress(ConnectionClosed):  # it may be over before the last fragment is sent
            ann.raw("x" * size)
        assert ann.close_code() == 1009


def test_a_message_of_131072_bytes_in_several_frames_is_read(endpoint):
    with endpoint.client() as ann:
        ann.raw(["x" * 32_768] * 4)
        assert ann.get()["payload"]["code"] == 400


def test_a_single_frame_over_32768_bytes_is_closed_with_1009_however_small_the_message(endpoint):
    for frames in (["x" * 32_769], ["x" * 100, "x" * 32_769, "x"]):
        with endpoint.client() as ann:
            with contextlib.suppress(ConnectionClosed):  # it may be over before the last fragment is sent
                ann.raw(frames)
            assert ann.close_code() == 1009


def test_the_limits_of_size_can_be_switched_off(serving):
    with serving("--max-frame-bytes", "0", "--max-message-bytes", "0") as endpoint, endpoint.client() as ann:
        ann.raw(["x" * 200_000] * 2)
        assert ann.get()["payload"]["code"] == 400


BREACHES = {
    "a reserved bit": b"\xc1\x80\0\0\0\0",
    "a reserved opcode": b"\x83\x80\0\0\0\0",
    "no mask": b"\x81\x01x",
    "a fragmented ping": b"\x09\x80\0\0\0\0",
    "a long ping": b"\x89\xfe\x00\x80\0\0\0\0" + bytes(128),
    "a continuation of nothing": b"\x80\x80\0\0\0\0",
    "a new message in the middle of one": b"\x01\x81\0\0\0\0x\x81\x81\0\0\0\0x",
    "a close of one byte": b"\x88\x81\0\0\0\0x",
    "a close with a code that may not be sent": b"\x88\x82\0\0\0\0\x03\xed",
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_of_the_protocol_is_closed_with_1002_and_read_to_the_end(endpoint, breach):
    with upgraded(endpoint, "breach") as client:
        client.sendall(BREACHES[breach] + masked(b"more") * 1000)
        said = b""
        while data := client.recv(65536):
            said += data
        assert said[0] == 0x88 and int.from_bytes(said[2:4], "big") == 1002
        client.sendall(b"still no reset")


def test_a_frame_that_comes_byte_by_byte_between_pings_is_read(endpoint):
    with upgraded(endpoint, "slow") as client:
        for byte in masked(frame("joinRoom", "j")):
            client.sendall(bytes((byte,)))
        assert b'"ack"' in client.recv(65536)
        part, rest = frame("leaveRoom", "l")[:20], frame("leaveRoom", "l")[20:]
        client.sendall(bytes((0x01, 0x80 | len(part), 0, 0, 0, 0)) + part + b"\x89\x82\0\0\0\0hi")
        assert client.recv(4) == b"\x8a\x02hi"
        client.sendall(bytes((0x80, 0x80 | len(rest), 0, 0, 0, 0)) + rest)
        assert b'"ack"' in client.recv(65536)


def test_a_close_is_answered_with_its_own_code_and_ends_the_listing(endpoint):
    with endpoint.client(key="closer") as ann:
        assert "closer" in {item["clientId"] for item in endpoint.listed()}
        ann.connection.close(3456, "bye")
        assert ann.close_code() == 3456
    endpoint.eventually_listed(set())
