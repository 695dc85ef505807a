"""Messages that were accepted and could not be kept: seen, replayed and dropped over HTTP."""

import contextlib
import sqlite3
import time

import pytest

from tests.endpoint.test_rest import ask, post, read
from tests.waiting import until

pytestmark = pytest.mark.slow(reason="starts a server whose worker fails, for each case")

REFUSE = """CREATE TRIGGER refuse BEFORE INSERT ON events WHEN new.text LIKE 'dead%'
    BEGIN SELECT RAISE(ABORT, 'no dead people'); END"""


@pytest.fixture
def broken(serving, tmp_path):
    """An endpoint after two messages died because its store refused them; it does not any more."""
    file = tmp_path / "store.db"
    with serving("--store", str(file)) as endpoint, contextlib.closing(sqlite3.connect(file)) as other:
        post(endpoint, "r", "alive", "i0")
        other.execute(REFUSE)
        for number in (1, 2):
            status, headers, body = post(endpoint, "r", f"dead {number}", f"i{number}")
            assert (status, body["code"], body["requestId"]) == (503, 503, f"i{number}")
            assert int(headers["Retry-After"]) >= 1
        other.execute("DROP TRIGGER refuse")
        until(lambda: len(letters(endpoint)) >= 2)
        yield endpoint


def letters(endpoint, query=""):
    status, _, body = ask(endpoint, "GET", f"/dead-letters{query}", token=endpoint.admin())
    assert status == 200
    return body["deadLetters"]


def test_a_dead_letter_tells_what_it_was_why_it_died_and_after_how_many_attempts(broken):
    first, second = letters(broken)
    assert first["id"] < second["id"] and first["attempts"] > 1 and "no dead people" in first["reason"]
    assert (first["tenant"], first["roomId"], first["sender"]) == ("t1", "r", "ann")
    assert [(item["requestId"], item["text"]) for item in (first, second)] == [("i1", "dead 1"), ("i2", "dead 2")]
    assert abs(first["diedAt"] / 1000 - time.time()) < 600
    assert letters(broken, "?limit=1") == [first] and letters(broken, f"?after={first['id']}") == [second]


def test_a_replayed_letter_takes_its_place_after_what_was_said_since_and_is_dead_no_more(broken):
    first, second = letters(broken)
    post(broken, "r", "since", "i3")
    with broken.client("bo") as bo:
        bo.ask("joinRoom", "j", "r")
        assert broken.call("POST", f"/dead-letters/{first['id']}/replay", token=broken.admin()) == (204, {})
        assert bo.get()["payload"] == {"text": "dead 1", "sender": "ann"}
    assert [message["payload"]["text"] for message in read(broken, "r")["messages"]] == ["alive", "since", "dead 1"]
    assert letters(broken) == [second]
    assert broken.call("POST", f"/dead-letters/{first['id']}/replay", token=broken.admin())[0] == 404


def test_a_dropped_letter_is_gone_and_was_never_said(broken):
    first, second = letters(broken)
    assert broken.call("DELETE", f"/dead-letters/{first['id']}", token=broken.admin()) == (204, {})
    assert broken.call("DELETE", f"/dead-letters/{first['id']}", token=broken.admin())[0] == 404
    assert letters(broken) == [second]
    assert [message["requestId"] for message in read(broken, "r")["messages"]] == ["i0"]


@pytest.mark.parametrize("id", ["0", "-1", "x", "1.5", "%20"])
def test_an_id_that_cannot_be_one_is_400(endpoint, id):
    assert endpoint.call("DELETE", f"/dead-letters/{id}", token=endpoint.admin())[0] == 400
    assert endpoint.call("POST", f"/dead-letters/{id}/replay", token=endpoint.admin())[0] == 400
