"""`squall check`, and the check that `squall run` begins with: exit codes, and what a run makes of what is replayed."""

import json
import threading
from collections import defaultdict

import pytest
from websockets.sync.server import serve

PLAN = """
name = "checked"
[endpoint]
url = "{url}"
dialect = "json"
answer_timeout_s = 1.0
[endpoint.json]
join = {{ type = "enter", room = "{{room}}", ref = "{{id}}" }}
publish = {{ type = "say", room = "{{room}}", ref = "{{id}}" }}
ack = {{ match = {{ type = "ok" }}, id = "ref" }}
delivery = {{ match = {{ type = "said" }}, id = "ref", room = "room" }}
[load]
sessions = 4
rooms = 2
rate_per_s = 4.0
ramp_s = 0.2
duration_s = 2.0
settle_s = 1.0
"""


class Chat:
    """A chat that replays everything to whoever joins; `is_mute`: it answers nothing."""

    def __init__(self):
        self.members, self.past = defaultdict(list), defaultdict(list)
        self.lock = threading.Lock()
        self.is_mute = False
        self.replayed = 0

    def talk(self, peer):
        for text in peer:
            if self.is_mute:
                continue
            asked = json.loads(text)
            room = asked["room"]
            with self.lock:
                peer.send(json.dumps({"type": "ok", "ref": asked["ref"]}))
                if asked["type"] == "enter":
                    for past in self.past[room]:
                        peer.send(past)
                    self.replayed += len(self.past[room])
                    self.members[room].append(peer)
                else:
                    said = json.dumps({"type": "said", "ref": asked["ref"], "room": room})
                    self.past[room].append(said)
                    for member in self.members[room]:
                        member.send(said)
        with self.lock:
            for members in self.members.values():
                if peer in members:
                    members.remove(peer)


@pytest.fixture
def chat():
    chat = Chat()
    with serve(chat.talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        chat.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        yield chat
        server.shutdown()
        thread.join()


@pytest.fixture
def plan(squall, chat):
    path = squall.out / "plan.toml"
    path.write_text(PLAN.format(url=chat.url))
    return path


WRONG = ("--set=endpoint.json.ack.id=reff", "--set=endpoint.json.delivery.id=reff")


def test_check_says_what_it_found_by_its_exit_code(squall, chat, plan):
    assert squall("check", plan).code == 0
    one_wrong = squall("check", plan, WRONG[1])
    assert one_wrong.code == 1 and 'endpoint.json.delivery.id = "reff"' in one_wrong.out
    assert squall("check", plan, "--set=endpoint.json.publish={type='say'}").code == 2
    assert squall("check", plan, "--set=endpoint.jsn=1").code == 2
    assert squall("check", plan, "--url=ws://127.0.0.1:1/").code == 3
    assert not (squall.out / "runs").exists()


@pytest.mark.parametrize("shipped", ["idle", "patterns"])
def test_the_shipped_endpoint_is_recognised_by_each_way_of_talking(squall, shipped):
    assert squall("check", shipped).code == 0


def test_a_run_by_which_nothing_is_recognised_does_not_begin(squall, chat, plan):
    run = squall.run(plan, *WRONG)
    assert (run.code, run.out) == (2, "") and "endpoint.json.ack.id" in run.err
    chat.is_mute = True
    assert squall.run(plan).code == 3
    assert not (squall.out / "runs").exists()


@pytest.mark.parametrize("off", ["--no-check", "--set=check.before_run=false"])
def test_a_run_can_do_without_the_check(squall, chat, plan, off):
    chat.is_mute = True
    assert squall.run(plan, off, "--no-report").path.is_dir()


@pytest.mark.slow(reason="a whole run of 4 s")
def test_what_is_replayed_of_the_check_is_nothing_to_the_run(squall, chat, plan):
    run = squall.run(plan)
    assert chat.replayed >= 2  # room 0 had the check's message before its sessions came
    assert run.findings == {}
    assert run.report["strays"]["unmatched"] == 0


@pytest.mark.slow(reason="a whole run of 4 s")
def test_what_is_half_right_is_warned_of_and_runs(squall, chat, plan):
    run = squall.run(plan, WRONG[1])
    assert run.path.is_dir() and "delivery, session 2" in run.err
