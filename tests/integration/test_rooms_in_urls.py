"""A chat whose room is in the path: connecting is joining, and each connection is to one room."""

import json
import threading
from collections import Counter, defaultdict

import pytest
from websockets.sync.server import serve

pytestmark = pytest.mark.slow(reason="whole runs of 5 s")

PLAN = """
name = "by-path"
[endpoint]
url = "{url}/chat/{{room}}/"
dialect = "json"
[endpoint.json]
acks = "delivery"
publish = {{ message = "{{id}}" }}
delivery = {{ match = {{ message = "*" }}, id = "message" }}
[load]
sessions = 12
rooms = 4
room_name = "room {{room}}/ü"
rate_per_s = 4.0
ramp_s = 0.5
duration_s = 3.0
settle_s = 1.0
"""


@pytest.fixture
def paths():
    """The url of a chat by path, and how many connections there were to each."""
    members, count, lock = defaultdict(list), Counter(), threading.Lock()

    def talk(peer):
        path = peer.request.path
        with lock:
            members[path].append(peer)
            count[path] += 1
        for text in peer:
            with lock:
                for member in members[path]:
                    member.send(json.dumps(json.loads(text)))
        with lock:
            members[path].remove(peer)

    with serve(talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}", count
        server.shutdown()
        thread.join()


def test_each_session_is_in_the_room_of_its_url_and_nothing_leaks(squall, paths):
    url, count = paths
    plan = squall.out / "plan.toml"
    plan.write_text(PLAN.format(url=url))
    run = squall.run(plan)
    assert run.findings == {}
    ledger = run.report["ledger"]["all"]
    assert ledger["owed"] == ledger["paid"] > 12
    assert set(count) == {f"/chat/room%20{room}%2F%C3%BC/" for room in range(4)}
    assert count["/chat/room%203%2F%C3%BC/"] == 3
    assert count["/chat/room%200%2F%C3%BC/"] == 3 + 3  # and those before the run: preflight and check


def test_a_scenario_that_joins_another_room_ends_the_run(squall, paths):
    url, _ = paths
    scenario = squall.out / "wander.py"
    scenario.write_text(
        "from squall import RealtimeUser, task\n"
        "class Wander(RealtimeUser):\n"
        "    def on_connect(self):\n"
        "        self.join((self.room + 1) % 4)\n"
        "    @task\n"
        "    def act(self):\n"
        "        self.pace()\n"
    )
    plan = squall.out / "plan.toml"
    plan.write_text(PLAN.format(url=url).replace("sessions = 12", 'sessions = 12\nscenario = "wander.py"'))
    run = squall.run(plan)
    assert run.code == 3 and "endpoint.url" in run.err
