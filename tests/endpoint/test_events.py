"""Event streams of a room: what comes, and what was missed."""

import contextlib
import http.client
import json
import threading

import pytest

from tests.endpoint.test_rest import ask, post, read
from tests.waiting import until


class Events:
    """An event stream as a client sees it, read by the rules of the HTML standard."""

    def __init__(self, endpoint, room, query="", token=None, **headers):
        self.connection = http.client.HTTPConnection(endpoint.http.removeprefix("http://"), timeout=20)
        headers |= {"Authorization": f"Bearer {token or endpoint.token()}"}
        self.connection.request("GET", f"/rooms/{room}/events{query}", headers=headers)
        self.answer = self.connection.getresponse()

    def __enter__(self):
        assert self.answer.status == 200
        assert self.answer.headers["Content-Type"] == "text/event-stream"
        assert self.answer.headers["Cache-Control"] == "no-store"
        assert self.answer.readline().startswith(b"retry: ") and self.answer.readline() == b"\n"
        return self

    def __exit__(self, *exception):
        self.answer.close()
        self.connection.close()

    def next(self):
        """The next event: its id and its data."""
        fields = {}
        while True:
            line = self.answer.readline().decode()
            if not line:
                raise EOFError
            if line == "\n" and fields:
                assert fields["event"] == "message"
                return int(fields["id"]), json.loads(fields["data"])
            name, _, value = line.rstrip("\n").partition(": ")
            if name and not line.startswith(":"):
                fields[name] = value


def test_a_stream_tells_what_is_said_from_now_on_in_the_frames_of_the_socket(endpoint):
    post(endpoint, "live", "before")
    with endpoint.client("bo") as bo:
        bo.ask("joinRoom", "j", "live")
        with Events(endpoint, "live") as events:
            post(endpoint, "live", "a\nb\r\n: c")
            assert events.next() == (2, bo.get())


@pytest.mark.parametrize("how", ["header", "query", "header over query"])
def test_a_stream_resumes_after_the_last_event_that_was_seen(endpoint, how):
    room = f"resumed-{how.replace(' ', '-')}"
    for _ in range(4):
        post(endpoint, room)
    query = {"header": "", "query": "?after=2", "header over query": "?after=0"}[how]
    headers = {"Last-Event-ID": "2"} if "header" in how else {}
    with Events(endpoint, room, query, **headers) as events:
        assert [events.next()[0], events.next()[0]] == [3, 4]
        post(endpoint, room)
        assert events.next()[0] == 5


def test_an_id_beyond_the_room_s_last_starts_at_its_beginning(endpoint):
    post(endpoint, "reborn")
    with Events(endpoint, "reborn", **{"Last-Event-ID": "500"}) as events:
        assert events.next()[0] == 1


def test_a_client_that_comes_back_again_and_again_hears_everything_once(endpoint):
    total, heard = 400, []

    def speak():
        with endpoint.client() as ann:
            ann.ask("joinRoom", "j", "torn")
            for number in range(total):
                ann.send("sendMessage", f"m{number}", "torn", text="x")
                assert {ann.get()["action"], ann.get()["action"]} == {"ack", "message"}

    speaker = threading.Thread(target=speak)
    speaker.start()
    while len(heard) < total:
        with Events(endpoint, "torn", f"?after={heard[-1] if heard else 0}") as events:
            for _ in range(min(37, total - len(heard))):
                heard.append(events.next()[0])
    speaker.join()
    assert heard == list(range(1, total + 1))


def test_a_client_that_reads_nothing_for_a_while_loses_nothing_and_holds_nobody_up(serving):
    total, text = 3000, "x" * 10_000
    wide = ("--throttle-per-s", "100000", "--throttle-burst", "100000", "--history", "5000")
    with serving(*wide) as endpoint, endpoint.client() as ann, Events(endpoint, "stalled") as events:
        ann.ask("joinRoom", "j", "stalled")
        for number in range(total):
            ann.send("sendMessage", f"m{number}", "stalled", text=text)
            while ann.get()["action"] != "message":
                pass
        assert [events.next()[0] for _ in range(total)] == list(range(1, total + 1))


@pytest.mark.parametrize("bad", ["-1", "x", "1.0", " 1 2", "9007199254740992"])
def test_a_bad_last_event_id_is_400(endpoint, bad):
    events = Events(endpoint, "r", **{"Last-Event-ID": bad})
    assert events.answer.status == 400
    events.connection.close()


def test_another_tenant_s_stream_of_a_room_of_that_name_hears_nothing_of_ours(endpoint):
    with Events(endpoint, "same", token=endpoint.token("eve", tenant="t2")) as events:
        post(endpoint, "same", "ours")
        post(endpoint, "same", "theirs", token=endpoint.token("eve", tenant="t2"))
        seq, frame = events.next()
    assert (seq, frame["payload"]["text"]) == (1, "theirs")


def test_a_stream_whose_client_has_gone_is_let_go(serving):
    with serving("--throttle-per-s", "100000", "--throttle-burst", "100000") as endpoint:
        with Events(endpoint, "left"):
            assert endpoint.metrics()["squall_waiting"] == 1
        until(lambda: post(endpoint, "left") and endpoint.metrics()["squall_waiting"] == 0)


def test_streams_end_when_the_endpoint_stops_and_do_not_hold_it_up(serving):
    with serving() as endpoint, Events(endpoint, "r") as events:
        endpoint.process.terminate()
        with contextlib.suppress(EOFError, http.client.IncompleteRead, ConnectionError):
            events.next()
        assert endpoint.process.wait(20) == 0
        endpoint.process.poll = lambda: None  # the fixture expects it to be alive still


def test_an_empty_room_s_stream_begins_at_its_first_message(endpoint):
    with Events(endpoint, "empty") as events:
        assert read(endpoint, "empty", "?limit=0")["last"] == 0
        post(endpoint, "empty")
        assert events.next()[0] == 1
    assert ask(endpoint, "GET", "/rooms/empty/messages")[2]["last"] == 1


def test_a_stream_ends_when_the_store_is_gone_and_begins_anew_when_it_is_back_without_its_memory(serving, redis):
    with serving("--store", redis.fresh()) as endpoint:
        with contextlib.ExitStack() as stack:
            with Events(endpoint, "r") as events:
                for _ in range(3):
                    post(endpoint, "r")
                assert [events.next()[0] for _ in range(3)] == [1, 2, 3]
                redis.stop()
                stack.callback(redis.start)
                with pytest.raises(EOFError):
                    events.next()
            status, headers, _ = post(endpoint, "r")
            assert status == 503 and int(headers["Retry-After"]) >= 1
            assert ask(endpoint, "GET", "/rooms/r/messages?wait=5")[0] == 503
        until(lambda: endpoint.call("GET", "/ready")[0] == 200)
        with Events(endpoint, "r", **{"Last-Event-ID": "3"}) as events:
            post(endpoint, "r", "a new life")
            while events.next()[1]["payload"]["text"] != "a new life":  # after what was kept as dead letter, if any
                pass
