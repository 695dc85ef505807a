"""Rooms over plain HTTP: creating and listing them, posting, history, long polls."""

import json
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.waiting import until


def ask(endpoint, method, path, body=None, token=None, content_type="application/json"):
    """A call: status, headers, body."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token or endpoint.token()}", "Content-Type": content_type}
    request = urllib.request.Request(endpoint.http + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=40) as answer:
            return answer.status, answer.headers, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.loads(error.read())


def post(endpoint, room, text="hi", id="i1", **more):
    body = {"version": "1.0", "requestId": id, "payload": {"text": text}, "timestamp": 1}
    return ask(endpoint, "POST", f"/rooms/{room}/messages", body, **more)


def read(endpoint, room, query="", **more):
    status, _, body = ask(endpoint, "GET", f"/rooms/{room}/messages{query}", **more)
    assert status == 200
    return body


def test_creating_a_room_is_201_and_once_more_200(endpoint):
    status, headers, body = ask(endpoint, "POST", "/rooms", {"roomId": "new"})
    assert (status, body) == (201, {"roomId": "new", "members": 0, "last": 0})
    assert headers["Location"] == "/rooms/new/messages"
    assert ask(endpoint, "POST", "/rooms", {"roomId": "new"})[::2] == (200, body)


def test_rooms_are_listed_by_name_page_by_page_with_members_and_last(endpoint):
    token = endpoint.token("ann", tenant="listing")
    for name in ("b", "a", "c"):
        ask(endpoint, "POST", "/rooms", {"roomId": name}, token)
    post(endpoint, "b", token=token)
    with endpoint.client("bo", tenant="listing") as bo:
        bo.ask("joinRoom", "j", "c")
        _, _, first = ask(endpoint, "GET", "/rooms?limit=2", token=token)
        _, _, rest = ask(endpoint, "GET", "/rooms?limit=2&after=b", token=token)
    assert first == {"rooms": [{"roomId": "a", "members": 0, "last": 0}, {"roomId": "b", "members": 0, "last": 1}]}
    assert rest == {"rooms": [{"roomId": "c", "members": 1, "last": 0}]}


def test_a_room_that_one_may_not_join_is_not_listed_and_does_not_shorten_a_page(endpoint):
    member, admin = (
        endpoint.token("ann", tenant="hidden"),
        endpoint.token("root", tenant="hidden", roles=["member", "admin"]),
    )
    for name in ("admin.x", "admin.y", "z"):
        assert ask(endpoint, "POST", "/rooms", {"roomId": name}, admin)[0] == 201
    assert [room["roomId"] for room in ask(endpoint, "GET", "/rooms?limit=1", token=member)[2]["rooms"]] == ["z"]
    assert len(ask(endpoint, "GET", "/rooms", token=admin)[2]["rooms"]) == 3


def test_a_posted_message_reaches_the_members_by_their_sockets_and_the_history(endpoint):
    with endpoint.client("bo") as bo:
        bo.ask("joinRoom", "j", "posted")
        status, _, accepted = post(endpoint, "posted", "hé", "p1")
        heard = bo.get()
    assert status == 201 and accepted["timestamp"] == heard["timestamp"]
    assert {key: accepted[key] for key in ("version", "requestId", "roomId", "seq")} == {
        "version": "1.0", "requestId": "p1", "roomId": "posted", "seq": 1,
    }  # fmt: skip
    assert heard["payload"] == {"text": "hé", "sender": "ann"} and heard["seq"] == 1
    assert read(endpoint, "posted") == {"messages": [heard], "last": 1}


def test_history_is_paged_by_sequence_number_and_limit_0_tells_the_last_only(endpoint):
    for number in range(1, 6):
        assert post(endpoint, "paged", id=f"p{number}")[2]["seq"] == number
    pages = [read(endpoint, "paged", f"?after={after}&limit=2") for after in (0, 2, 4, 5)]
    assert [[message["seq"] for message in page["messages"]] for page in pages] == [[1, 2], [3, 4], [5], []]
    assert all(page["last"] == 5 for page in pages)
    assert read(endpoint, "paged", "?limit=0") == {"messages": [], "last": 5}


def test_a_room_that_nobody_used_is_an_empty_one(endpoint):
    assert read(endpoint, "never-used") == {"messages": [], "last": 0}


def test_another_tenant_s_room_of_the_same_name_is_another_room_and_its_existence_is_not_told(endpoint):
    post(endpoint, "ours")
    stranger = endpoint.token("eve", tenant="t2")
    assert read(endpoint, "ours", token=stranger) == {"messages": [], "last": 0}
    assert ask(endpoint, "GET", "/rooms?limit=1000", token=stranger)[2] == {"rooms": []}
    there, absent = (
        [
            ask(endpoint, "GET", f"/rooms/tenant:{tenant}:{room}/messages", token=stranger)[::2]
            for room in ("ours", "no")
        ]
        for tenant in ("t1", "t7")
    )
    assert there == absent and {status for status, _ in there} == {403}


@pytest.mark.parametrize("path", ["/rooms/admin.x/messages", "/rooms/private.bo/messages", "/rooms/admin.x/events"])
def test_a_room_without_the_right_is_403(endpoint, path):
    assert ask(endpoint, "GET", path)[0] == 403
    if path.endswith("messages"):
        assert post(endpoint, path.split("/")[2])[0] == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/rooms"), ("POST", "/rooms"), ("GET", "/rooms/r/messages"), ("POST", "/rooms/r/messages"),
     ("GET", "/rooms/r/events"), ("GET", "/dead-letters"), ("DELETE", "/dead-letters/1"),
     ("POST", "/dead-letters/1/replay")],
)  # fmt: skip
def test_every_route_needs_a_token_that_is_good_and_a_role(endpoint, method, path):
    assert endpoint.call(method, path)[0] == 401
    assert endpoint.call(method, path, token=endpoint.token(exp=1))[0] == 401
    assert endpoint.call(method, path, token=endpoint.token(roles=[]))[0] == 403
    if path.startswith("/dead"):
        assert endpoint.call(method, path, token=endpoint.token())[0] == 403


VALID = b'{"version":"1.0","requestId":"i1","payload":{"text":"hi"},"timestamp":1}'


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"hi"', b"\xff" + VALID, b"\xef\xbb\xbf" + VALID, VALID + b"}",
        VALID.replace(b'"1.0"', b'"2.0"'), VALID.replace(b'"timestamp":1', b'"timestamp":NaN'),
        VALID.replace(b'"timestamp":1', b'"timestamp":1e999'), VALID.replace(b'"timestamp":1', b'"timestamp":-1'),
        VALID.replace(b"1}", b'1,"more":1}'), VALID.replace(b'"requestId":"i1",', b""),
        VALID.replace(b'"requestId":"i1"', b'"requestId":"i1","requestId":"i1"'), VALID.replace(b'"hi"', b'""'),
        VALID.replace(b'"hi"', b"7"), VALID.replace(b'"hi"', b'"\\ud800"'), VALID.replace(b'{"text":"hi"}', b"null"),
        VALID.replace(b'"hi"', b'"' + b"x" * 100_001 + b'"'), VALID.replace(b'"hi"', b"[" * 40 + b"]" * 40),
    ],
    ids=lambda body: body[:60],
)  # fmt: skip
def test_a_malformed_body_is_400_and_reaches_nobody(endpoint, body):
    status, _, refused = ask(endpoint, "POST", "/rooms/malformed/messages", body)
    assert (status, refused["code"]) == (400, 400)
    assert refused.get("requestId") == ("i1" if b'"requestId":"i1"' in body else None)
    assert read(endpoint, "malformed") == {"messages": [], "last": 0}


def test_a_body_of_another_type_is_415_and_one_that_is_too_big_413(endpoint):
    assert ask(endpoint, "POST", "/rooms/r/messages", VALID, content_type="text/plain")[0] == 415
    assert ask(endpoint, "POST", "/rooms/r/messages", VALID + b" " * (131072 - len(VALID)))[0] == 201
    assert ask(endpoint, "POST", "/rooms/r/messages", VALID + b" " * (131073 - len(VALID)))[0] == 413


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=x", "after=", "after=1.0", "after=%2B1", "after=9007199254740992", "limit=1001", "limit=-1",
     "limit=%D9%A1", "wait=-1", "wait=31", "wait=nan", "wait=x"],
)  # fmt: skip
def test_a_bad_number_in_a_query_is_400(endpoint, query):
    status, _, body = ask(endpoint, "GET", f"/rooms/r/messages?{query}")
    assert status == 400 and query.split("=")[0] in body["message"]


@pytest.mark.parametrize("name", ["a%20b", "a%2Fb", "%C3%A9", "x" * 65, "a%0Ab", "%00"])
def test_a_room_s_name_that_cannot_be_one_is_400(endpoint, name):
    assert ask(endpoint, "GET", f"/rooms/{name}/messages")[0] == 400
    assert post(endpoint, name)[0] == 400


def test_a_long_poll_waits_for_the_next_message_and_not_longer(endpoint):
    post(endpoint, "polled")
    answers = []

    def poll():
        answers.append((read(endpoint, "polled", "?after=1&wait=30"), time.monotonic_ns()))

    thread = threading.Thread(target=poll)
    thread.start()
    until(lambda: endpoint.metrics()["squall_waiting"])
    assert not answers
    began_ns = time.monotonic_ns()
    post(endpoint, "polled", "second")
    thread.join()
    ((body, answered_ns),) = answers
    assert [message["payload"]["text"] for message in body["messages"]] == ["second"] and body["last"] == 2
    assert answered_ns > began_ns
    assert endpoint.metrics()["squall_waiting"] == 0


def test_a_long_poll_does_not_wait_for_what_is_there_already_and_is_empty_in_the_end(endpoint):
    post(endpoint, "there")
    assert [message["seq"] for message in read(endpoint, "there", "?after=0&wait=30")["messages"]] == [1]
    assert read(endpoint, "there", "?after=1&wait=0.05") == {"messages": [], "last": 1}


def test_waiting_costs_no_thread(endpoint):
    def threads():
        return len(list(Path(f"/proc/{endpoint.process.pid}/task").iterdir()))

    read(endpoint, "crowd", "?wait=0.05")
    before = threads()
    polls = [threading.Thread(target=read, args=(endpoint, "crowd", "?wait=30")) for _ in range(50)]
    for poll in polls:
        poll.start()
    until(lambda: endpoint.metrics()["squall_waiting"] >= 50)
    assert threads() == before
    post(endpoint, "crowd")
    for poll in polls:
        poll.join()


def test_what_pollers_hear_is_every_message_once_in_order(endpoint):
    heard, total = [], 200

    def poll():
        after = 0
        while after < total:
            for message in read(endpoint, "steady", f"?after={after}&wait=30&limit=7")["messages"]:
                heard.append(message["seq"])
                after = message["seq"]

    poller = threading.Thread(target=poll)
    poller.start()
    with endpoint.client() as ann:
        ann.ask("joinRoom", "j", "steady")
        for number in range(total):
            ann.send("sendMessage", f"m{number}", "steady", text="x")
            assert {ann.get()["action"], ann.get()["action"]} == {"ack", "message"}
        poller.join()
    assert heard == list(range(1, total + 1))
