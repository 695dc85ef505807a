"""Every shipped scenario's own plan, scaled down to seconds: it ends fit, finds nothing, and makes its traffic."""

from pathlib import Path

import numpy as np
import pytest

from harness.plan import build_plan
from harness.record.row import DTYPE, ROW_BYTES, Gauge, Kind, Outcome
from harness.record.run_directory import open_run
from harness.schedule.rooms import Rooms, sizes

pytestmark = pytest.mark.slow(reason="a whole run for each shipped scenario")

ROOT = Path(__file__).parents[2]
SMALL = {
    "load.sessions": 24,
    "load.sessions_per_user": 6,
    "load.rooms": 3,
    "load.ramp_s": 0.4,
    "load.duration_s": 4.0,
    "load.settle_s": 1.2,
}
OUR_OWN_FAULT = ("the generator sent late", "the generator read late", "the generator's CPU")


class Played:
    """A scenario's run: its plan and its rows."""

    def __init__(self, run):
        assert run.path.is_dir(), run.err
        reasons = [why for why in run.report["fitness"]["reasons"] if not why.startswith(OUR_OWN_FAULT)]
        assert reasons == [], "a machine that is busy with other things may be late, but nothing else is excused"
        assert run.findings == {}
        self.report = run.report
        found = open_run(run.path)
        self.plan = build_plan(found.manifest["plan"])
        self.rooms = Rooms(self.plan.load, self.plan.seed)
        (shard,) = found.shards
        self.table = np.fromfile(shard.path, np.dtype(DTYPE), offset=ROW_BYTES)

    def rows(self, kind, outcome=Outcome.OK):
        return self.table[(self.table["kind"] == kind) & (self.table["outcome"] == outcome)]

    @property
    def leaders(self):
        return {number for number in range(24) if self.rooms.led_by(number)}


@pytest.fixture
def play(squall):
    def play(name, **more):
        settings = SMALL | {key.replace("__", "."): value for key, value in more.items()}
        run = squall.run(name, *(f"--set={key}={value}" for key, value in settings.items()))
        return Played(run)

    return play


def test_in_ticker_one_session_a_room_publishes_and_everybody_in_it_hears_all_of_it(play):
    run = play("ticker")
    ticks = run.rows(Kind.PUBLISH)
    assert set(ticks["session"]) == run.leaders
    assert len(run.leaders) == 3
    heard = run.rows(Kind.DELIVERY)
    for number in range(24):
        (room,) = run.rooms.of(number)
        told = ticks[ticks["room"] == room]
        assert set(heard["seq"][heard["session"] == number]) == set(told["seq"])
        assert len(told) == 20


def test_in_telemetry_everybody_publishes_and_nobody_hears_another(play):
    run = play("telemetry", load__rate_per_s=3.0)
    assert set(run.rows(Kind.PUBLISH)["session"]) == set(range(24))
    heard = run.rows(Kind.DELIVERY)
    assert all(heard["session"] == heard["peer"])
    assert run.rooms.count == 24


def test_in_idle_everybody_is_there_and_nobody_says_anything(play):
    run = play("idle")
    assert set(run.rows(Kind.JOIN)["session"]) == set(range(24))
    assert not len(run.rows(Kind.PUBLISH)) and not len(run.rows(Kind.DELIVERY))
    assert (run.report["run"]["silent"], run.report["verdict"]["verdict"]) == (True, "pass")


def test_in_presence_the_leaders_talk_and_the_others_go_out_and_come_in_by_turns(play):
    run = play("presence", load__rate_per_s=5.0)
    assert set(run.rows(Kind.PUBLISH)["session"]) == run.leaders
    joins, leaves = run.rows(Kind.JOIN), run.rows(Kind.LEAVE)
    moved = joins[joins["due"] > 0]
    assert len(moved) > 20
    for number in set(range(24)) - run.leaders:
        steps = np.concatenate([joins[joins["session"] == number], leaves[leaves["session"] == number]])
        kinds = np.sort(steps, order="sent")["kind"].tolist()
        assert kinds == [Kind.JOIN, Kind.LEAVE] * (len(kinds) // 2) + [Kind.JOIN] * (len(kinds) % 2)
        assert len(kinds) >= 4
    for number in run.leaders:
        assert list(joins["due"][joins["session"] == number]) == [0]
    books = run.report["ledger"]["all"]
    assert run.report["ledger"]["memberships"] == len(joins)
    assert books["owed"] > len(run.rows(Kind.PUBLISH))


def test_in_presence_people_who_think_talk_go_out_and_come_in_all_the_time_too(play):
    run = play("presence", load__shape='{shape="think",think_time_s=0.2}')
    for number in range(24):
        said = run.rows(Kind.PUBLISH)
        moved = np.concatenate([run.rows(kind) for kind in (Kind.JOIN, Kind.LEAVE)])
        found = said if number in run.leaders else moved[moved["due"] > 0]
        assert len(found[found["session"] == number]) >= 2
    assert set(said["session"]) == run.leaders


def test_in_presence_who_is_in_several_rooms_talks_in_those_that_it_leads_and_no_room_is_silent(play):
    run = play("presence", load__rate_per_s=5.0, load__room_sizes='{sizes="equal",per_session=2}')
    said, left = run.rows(Kind.PUBLISH), run.rows(Kind.LEAVE)
    assert {(int(row["session"]), int(row["room"])) for row in said} == {
        (number, room) for number in range(24) for room in run.rooms.led_by(number)
    }
    assert set(said["room"]) == set(range(3))
    moved = left[left["due"] > 0]
    assert set(moved["session"]) == set(range(24)) - run.leaders
    for number in set(range(24)) - run.leaders:
        assert set(moved["room"][moved["session"] == number]) == set(run.rooms.of(number))


def test_in_a_reconnect_storm_whoever_was_dropped_comes_back_to_the_room(play):
    sooner = {"load__duration_s": 6.0, "load__rate_per_s": 2.0, "reconnect__cap_s": 1.0, "chaos__0__at_s": 2.0}
    run = play("reconnect-storm", **sooner)
    dropped = set(run.rows(Kind.FAULT)["session"])
    assert len(dropped) == 19
    back = run.rows(Kind.RECOVERY)
    assert set(back["session"]) == dropped
    assert len(back) == 19
    joins = run.rows(Kind.JOIN)
    assert set(joins["session"][joins["conn"] > 0]) == dropped
    assert set(joins["session"]) == set(range(24))
    (storm,) = run.report["storms"]
    assert (storm["dropped"], storm["back"]) == (19, 19)
    assert run.report["figures"]["response"]["unaffected"]["count"] > 0


def test_in_soak_seats_are_taken_again_and_the_endpoint_tells_of_its_memory(play):
    run = play("soak", load__departures__mean_s=1.5, observe__metrics_every_s=0.5, load__rate_per_s=2.0)
    opened = run.rows(Kind.OPEN)
    assert max(opened["conn"]) >= 1
    assert len(run.rows(Kind.LEAVE)) > 24
    samples = run.table[run.table["kind"] == Kind.SAMPLE]
    for gauge, least in ((Gauge.ENDPOINT_RESIDENT_BYTES, 2**20), (Gauge.ENDPOINT_DESCRIPTORS, 5)):
        told = samples["seq"][samples["code"] == gauge]
        assert len(told) > 3
        assert min(told) > least


def test_in_the_giant_room_most_people_hear_most_of_what_is_said(play):
    run = play("giant-room", load__rate_per_s=1.0)
    members = np.bincount(run.rows(Kind.JOIN)["room"], minlength=3).tolist()
    assert members == sizes(run.plan.load) == [19, 3, 2]
    heard = run.rows(Kind.DELIVERY)
    said = np.bincount(run.rows(Kind.PUBLISH)["room"], minlength=3)
    assert np.bincount(heard["room"], minlength=3).tolist() == [said[0] * 19, said[1] * 3, said[2] * 2]


def test_over_two_processes_a_room_has_one_publisher_all_the_same(squall, two_processes):
    plan = squall.out / "ticker.toml"
    plan.write_text(
        (ROOT / "plans" / "ticker.toml").read_text().replace("sessions_per_user = 50", "sessions_per_user = 4")
    )
    env = {"SQUALL_OUT": str(squall.out / "runs"), "SQUALL_PLAN": str(plan)}
    more = ("--headless", "-u", 6, "-r", 20, "-t", "6s", *two_processes)
    done = squall.wait(squall.start("-f", ROOT / "locustfile.py", *more, module="locust", env=env))
    (path,) = (squall.out / "runs").glob("*")
    run = open_run(path)
    assert (run.status, len(run.shards)) == ("complete", 2), done.err
    rows = np.concatenate([np.fromfile(shard.path, np.dtype(DTYPE), offset=ROW_BYTES) for shard in run.shards])
    load = build_plan(run.manifest["plan"]).load
    assert load.sessions == 24
    rooms = Rooms(load, 11)
    ticks = rows[(rows["kind"] == Kind.PUBLISH) & (rows["outcome"] == Outcome.OK)]
    assert {(int(row["session"]), int(row["room"])) for row in ticks} == {
        (number, room) for number in range(24) for room in rooms.led_by(number)
    }
    opened = rows[rows["kind"] == Kind.OPEN]
    assert set(opened["session"]) == set(range(24))
