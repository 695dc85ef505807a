"""Several processes behind one port: the operator sees one endpoint, whichever process answers."""

import contextlib
import json
import threading
import urllib.request
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.endpoint.test_events import Events
from tests.endpoint.test_rest import ask, post, read
from tests.waiting import until

pytestmark = pytest.mark.slow(reason="starts several processes over Redis")

CLIENTS = 8
"""So many that each of two processes has some: all in one has a chance of 1 in 128, and is waited out."""


@pytest.fixture(scope="module")
def several(serving, redis):
    wide = ("--throttle-per-s", "100000", "--throttle-burst", "100000")
    with serving("--processes", "2", "--store", redis.fresh(), *wide) as endpoint:
        yield endpoint


def samples(endpoint, name):
    """The samples of a metric, by process."""
    with urllib.request.urlopen(endpoint.http + "/metrics", timeout=10) as answer:
        page = answer.read().decode()
    assert page.count(f"# TYPE {name} ") <= 1
    return {
        sample.labels["process"]: sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name
    }


@pytest.fixture
def spread(several):
    """Clients of which each process has at least one."""
    with contextlib.ExitStack() as stack:
        clients = {}

        def connect():
            key = f"k{len(clients)}"
            clients[key] = stack.enter_context(several.client(key=key))
            return len(clients) >= CLIENTS and 0 not in samples(several, "squall_connections").values()

        until(connect)
        several.eventually_listed(set(clients))
        yield clients
    several.eventually_listed(set())


def path_of(item):
    return f"/@connections/{quote(item['connectionId'], safe='')}"


def test_every_scrape_tells_of_every_process(several, spread):
    for _ in range(6):  # whichever process it reaches
        connections = samples(several, "squall_connections")
        assert len(connections) == 2 and sum(connections.values()) == len(spread)
    assert samples(several, "process_resident_memory_bytes").keys() == connections.keys()


def test_every_client_is_pushed_to_described_and_closed_from_any_process(several, spread):
    for item in several.listed():
        client = spread[item["clientId"]]
        assert several.call("POST", path_of(item), item["clientId"].encode(), several.admin()) == (200, {})
        assert client.connection.recv(10) == item["clientId"]
        status, told = several.call("GET", path_of(item), token=several.admin())
        assert status == 200 and told["identity"]["sourceIp"] == "127.0.0.1"
        assert several.call("DELETE", path_of(item), token=several.admin())[0] == 204
        assert client.close_code() == 1000
        assert several.call("POST", path_of(item), b"x", several.admin())[0] == 410


def test_a_message_posted_to_any_process_is_heard_by_sockets_streams_and_polls_of_every_one(several, spread):
    for client in spread.values():
        client.ask("joinRoom", "j", "wide")
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(Events(several, "wide")) for _ in range(4)]
        polled = []
        polls = [
            threading.Thread(target=lambda: polled.append(read(several, "wide", "?wait=30")["messages"][0]["seq"]))
            for _ in range(4)
        ]
        for poll in polls:
            poll.start()
        until(lambda: sum(samples(several, "squall_waiting").values()) == 8)
        assert post(several, "wide", "to all")[0] == 201
        for client in spread.values():
            assert client.get()["payload"]["text"] == "to all"
        assert [stream.next()[0] for stream in streams] == [1] * 4
        for poll in polls:
            poll.join()
        assert polled == [1] * 4
        whole = {"rooms": [{"roomId": "wide", "members": len(spread), "last": 1}]}
        until(lambda: ask(several, "GET", "/rooms")[2] == whole)


def test_a_stream_resumes_at_another_process_without_gap_or_duplicate(several):
    total, heard = 120, []
    for number in range(total // 2):
        post(several, "moved", json.dumps(number))
    rest = threading.Thread(target=lambda: [post(several, "moved") for _ in range(total // 2)])
    rest.start()
    while len(heard) < total:
        with Events(several, "moved", f"?after={heard[-1] if heard else 0}") as events:
            heard += [events.next()[0] for _ in range(min(11, total - len(heard)))]
    rest.join()
    assert heard == list(range(1, total + 1))
