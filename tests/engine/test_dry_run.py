"""The dry run, against a chat that may be told to behave otherwise: what is recognised, what is not, and why."""

import json
import threading
from contextlib import contextmanager

import pytest
from websockets.sync.server import serve

from harness.engine.checked import render
from harness.engine.dry_run import dry_run, who_talks
from harness.errors import RunFailed
from harness.plan import build_plan
from harness.record.row import NO_ROOM
from harness.schedule.rooms import Rooms
from harness.transport.connection_options import find_addresses
from harness.wire.ids import Senders
from harness.wire.signal import Signal, SignalKind

JSON = {
    "join": {"type": "enter", "channel": "{room}", "ref": "{id}"},
    "leave": {"type": "exit", "channel": "{room}", "ref": "{id}"},
    "publish": {"type": "say", "channel": "{room}", "ref": "{id}", "body": "{text}"},
    "ping": {"type": "ping", "ref": "{id}"},
    "ack": {"match": {"type": "ok"}, "id": "ref"},
    "pong": {"match": {"type": "pong"}, "id": "ref"},
    "error": {"match": {"type": "no"}, "id": "ref", "code": "code", "reason": "why"},
    "delivery": {"match": {"type": "said"}, "id": "ref", "room": "channel"},
}
FAST = {"answer_timeout_s": 0.4}


class Chat:
    """A chat with rooms; `answer` gives the frames with which a request is answered, by default the right ones."""

    def __init__(self, answer=None):
        self.members = {}
        self.ended = []
        self.answer = answer or self.right

    def right(self, asked):
        if asked["type"] == "ping":
            return {"type": "pong", "ref": asked["ref"]}
        return {"type": "ok", "ref": asked["ref"]}

    def talk(self, peer):
        for text in peer:
            asked = json.loads(text)
            room = self.members.setdefault(asked.get("channel"), [])
            if asked["type"] == "enter":
                room.append(peer)
            answer = self.answer(asked)
            if answer is not None:
                peer.send(answer if isinstance(answer, str) else json.dumps(answer))
            if asked["type"] == "say" and (answer is None or answer.get("type") != "no"):
                for member in room:
                    member.send(json.dumps({**asked, "type": "said"}))
        self.ended.append(peer.protocol.close_code)


@contextmanager
def serving(talk):
    with serve(talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        finally:
            server.shutdown()
            thread.join()


def check(talk, json=None, load=None, publishes=True, **more):
    """The dry run against a server, with changes of the right plan."""
    with serving(talk) as url:
        described = {name: rule for name, rule in (JSON | (json or {})).items() if rule is not None}
        endpoint = {"url": url, "dialect": "json", "json": described, **FAST, **more.pop("endpoint", {})}
        plan = build_plan({"endpoint": endpoint, "load": {"sessions": 20, "rooms": 5, **(load or {})}, **more})
        addresses = find_addresses(plan.endpoint, int(url.split(":")[2].rstrip("/")))
        return dry_run(plan, "n1", "websocket", addresses, publishes=publishes)


def told(found):
    return {each.what.split(",")[0] for each in found.asked if each.is_good}


ALL = {"answer to join", "answer to publish", "own delivery", "delivery", "answer to ping", "answer to leave"}


def test_everything_is_recognised_and_the_connections_end_in_good_order():
    chat = Chat()
    found = check(chat.talk)
    assert found.is_good and not found.is_blind
    assert told(found) == ALL
    assert [line.session for line in found.lines if line.sign == "--"] in ([0, 5], [5, 0])  # opened, and no more
    assert (found.frames, found.strange) == (9, 0)
    assert chat.ended == [1000, 1000]


def test_what_the_protocol_does_not_have_is_not_asked_for():
    bare = dict.fromkeys(("join", "leave", "ping", "pong", "error"))
    echoed = {"publish": {"ref": "{id}"}, "acks": "none", "ack": None, "delivery": {"match": {"ref": "*"}, "id": "ref"}}

    def echo(peer):
        for text in peer:
            peer.send(text)

    found = check(echo, bare | echoed, {"room_sizes": {"sizes": "own"}})
    assert [each.what for each in found.asked] == ["own delivery, session 0"]
    assert found.is_good
    nothing = check(echo, bare | echoed, {"room_sizes": {"sizes": "none"}})
    assert nothing.asked == () and nothing.is_good and not nothing.is_blind
    silent = check(Chat().talk, publishes=False)
    assert told(silent) == {"answer to join", "answer to ping", "answer to leave"}


def test_no_own_delivery_is_asked_for_where_the_contract_promises_none():
    found = check(Chat().talk, contract={"delivers_to_sender": False})
    assert told(found) == ALL - {"own delivery"}


MISTYPED = [
    ({"ack": {"match": {"type": "ok"}, "id": "reff"}}, {"answer to join", "answer to publish", "answer to leave"}),
    ({"ack": {"match": {"typ": "ok"}, "id": "ref"}}, {"answer to join", "answer to publish", "answer to leave"}),
    ({"pong": {"match": {"type": "pong"}, "id": "data.ref"}}, {"answer to ping"}),
    ({"delivery": {"match": {"type": "said"}, "id": "body"}}, {"own delivery", "delivery"}),
    ({"delivery": {"match": {"type": "sayd"}, "id": "ref"}}, {"own delivery", "delivery"}),
]


@pytest.mark.parametrize(("change", "missing"), MISTYPED)
def test_one_wrong_path_is_found_and_named_beside_the_frame(change, missing):
    found = check(Chat().talk, change)
    assert not found.is_good and not found.is_blind
    assert ALL - told(found) == missing
    ((rule, match),) = change.items()
    wrong = [line.meaning for line in found.lines if line.sign == "<-" and f"endpoint.json.{rule}" in line.meaning]
    wrong += [line.meaning for line in found.lines if "none of this run" in line.meaning]
    assert wrong


def test_an_ack_that_takes_deliveries_is_found():
    rules = {
        "ack": {"match": {"type": ["ok", "said"]}, "id": "ref"},
        "delivery": {"match": {"channel": "*"}, "id": "ref"},
    }
    found = check(Chat().talk, rules)
    assert told(found) == ALL - {"own delivery", "delivery"}
    taken = [line.meaning for line in found.lines if '"said"' in line.text]
    assert all(meaning.startswith("ack") for meaning in taken) and len(taken) == 2
    assert found.strange == 2


def test_nothing_recognised_is_not_nothing_came():
    wrong = {name: {"match": {"kind": name}, "id": "ref"} for name in ("ack", "pong", "delivery", "error")}
    found = check(Chat().talk, wrong)
    assert found.is_blind and found.frames == found.strange == 9
    silent = check(lambda peer: [None for _ in peer])
    assert silent.is_blind and silent.frames == 0


@pytest.mark.parametrize("code", [403, "FORBIDDEN"])
def test_a_refusal_is_recognised_and_not_good(code):
    found = check(Chat(lambda asked: {"type": "no", "ref": asked["ref"], "code": code, "why": "not yours"}).talk)
    assert not found.is_good and not found.is_blind
    assert not any("delivery" in each.what for each in found.asked)  # nothing is owed of what was refused
    assert all(str(code) in each.found for each in found.asked)
    assert any("not yours" in line.meaning for line in found.lines)


def test_what_is_not_json_is_shown_as_it_is():
    found = check(Chat(lambda asked: None if asked["type"] == "say" else "<html>").talk)
    assert any(line.text == "<html>" and "not of the protocol" in line.meaning for line in found.lines)


def test_a_connection_that_ends_in_the_middle_is_told():
    def end(peer):
        next(iter(peer))
        peer.close(4001, "who are you?")

    found = check(end)
    assert found.is_blind
    text = "\n".join(render(found))
    assert "4001" in text and "who are you?" in text


def test_a_connection_that_ends_at_once_is_not_waited_for():
    found = check(lambda peer: peer.close(4401, "no token"))
    assert found.is_blind and found.frames == 0
    assert "4401" in "\n".join(render(found))


def test_a_refused_upgrade_is_no_connection():
    with serving(lambda peer: None) as url:
        addresses = find_addresses(build_plan({"endpoint": {"url": url}}).endpoint, int(url.split(":")[2].rstrip("/")))
    plan = build_plan({"endpoint": {"url": url, "open_timeout_s": 1.0}})
    with pytest.raises(RunFailed, match="session 0"):
        dry_run(plan, "n1", "websocket", addresses, publishes=True)


def test_a_frame_is_shown_without_secrets_without_control_characters_and_not_whole(monkeypatch):
    monkeypatch.setenv("PIN", "hunter2!")
    hostile = {"type": "ok", "token": "abc", "said": "hunter2! \x1b[2J\u202e", "long": "x" * 1000}
    found = check(
        Chat(lambda asked: {**hostile, "ref": asked["ref"]}).talk, endpoint={"headers": {"X-Pin": "${PIN}"}}
    )  # fmt: skip
    text = "\n".join(render(found))
    assert "hunter2" not in text and '"abc"' not in text
    assert all(sign.isprintable() or sign == "\n" for sign in text)
    assert max(map(len, text.splitlines())) < 700


def test_a_flood_of_frames_is_not_kept():
    def flood(peer):
        for _ in range(1000):
            peer.send('{"type": "tick"}')
        Chat().talk(peer)

    found = check(flood)
    assert found.left_out > 0 and len(found.lines) < 300
    assert found.is_good is False or told(found)


def test_what_the_message_says_can_be_given():
    chat = Chat(lambda asked: None if asked.get("body", "say") != "say" else Chat().right(asked))
    assert "answer to publish" not in told(check(chat.talk))
    assert "answer to publish" in told(check(chat.talk, check={"text": "say"}))


@pytest.mark.parametrize(
    ("load", "who"),
    [
        ({"sessions": 20, "rooms": 5}, (0, (0, 5))),
        ({"sessions": 1, "rooms": 1}, (0, (0,))),
        ({"sessions": 2, "rooms": 1}, (0, (0, 1))),
        ({"sessions": 5, "rooms": 5}, (0, (0,))),
        ({"room_sizes": {"sizes": "own"}}, (0, (0,))),
        ({"sessions": 9, "rooms": 3, "room_sizes": {"sizes": "fixed", "members": [1, 1, 7]}}, None),
        ({"room_sizes": {"sizes": "none"}}, (NO_ROOM, (0,))),
    ],
)
def test_two_sessions_of_one_room_talk(load, who):
    plan = build_plan({"endpoint": {"url": "ws://127.0.0.1:9/", "dialect": "echo"}, "load": load})
    room, numbers = who_talks(plan)
    assert who is None or (room, numbers) == who
    assert all(room in Rooms(plan.load, plan.seed).of(number) for number in numbers if room != NO_ROOM)


def test_a_run_knows_what_is_replayed_of_its_check():
    senders = Senders("n1", 10)
    for signal in (
        Signal(SignalKind.DELIVERY, "n1x-0-2"),
        Signal(SignalKind.DELIVERY, "2", sender="n1x-0"),
    ):
        assert senders.origin(signal) is None and senders.is_of_check(signal)
    for signal in (
        Signal(SignalKind.DELIVERY, "n1-0-2"),
        Signal(SignalKind.DELIVERY, "n1xy-0-2"),
        Signal(SignalKind.DELIVERY),
    ):
        assert not senders.is_of_check(signal)
