"""A protocol without rooms, whole runs of it: a server that gives everything back to whom it came from."""

import threading

import numpy as np
import pytest
from websockets.sync.server import serve

from harness.record.row import DTYPE, NO_ROOM, ROW_BYTES, Kind, Outcome
from harness.record.run_directory import open_run

PLAN = """
name = "roomless"
[endpoint]
url = "{url}"
dialect = "json"
[endpoint.json]
publish = {{ reading = "{{text}}", ref = "{{id}}" }}
acks = "delivery"
[endpoint.json.delivery]
match = {{ ref = "*" }}
id = "ref"
[load]
scenario = "telemetry"
sessions = 12
sessions_per_user = 4
room_sizes = {{ sizes = "none" }}
rate_per_s = 4.0
shape = {{ shape = "sine", amplitude_per_s = 4.0, period_s = 2.0 }}
ramp_s = 0.3
duration_s = 4.0
settle_s = 1.0
[[chaos]]
fault = "drop"
how = "reset"
at_s = 2.0
count = 3
[[chaos]]
fault = "burst"
at_s = 2.5
count = 2
messages = 10
"""


@pytest.fixture
def echo():
    """The address of a server that echoes."""

    def answer(connection):
        for message in connection:
            connection.send(message)

    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def test_devices_report_are_dropped_and_come_back_where_there_are_no_rooms(squall, echo):
    plan = squall.out / "plan.toml"
    plan.write_text(PLAN.format(url=echo))
    run = squall.run(plan)
    assert run.path.is_dir(), run.err
    assert run.findings == {}
    (shard,) = open_run(run.path).shards
    rows = np.fromfile(shard.path, np.dtype(DTYPE), offset=ROW_BYTES)
    sent = rows[(rows["kind"] == Kind.PUBLISH) & (rows["outcome"] == Outcome.OK)]
    assert set(sent["session"]) == set(range(12))
    assert set(sent["room"]) == {NO_ROOM}
    assert not len(rows[rows["kind"] == Kind.JOIN])
    done = rows[(rows["kind"] == Kind.FAULT) & (rows["outcome"] == Outcome.OK)]
    assert len(done) == 5, "who is in no room is struck all the same"
    assert run.report["recovery"]["recovered"] == 3
    assert run.report["figures"]["response"]["all"]["count"] > 100
    assert run.report["ledger"]["all"]["owed"] == 0


@pytest.mark.parametrize("scenario", ["chat", "ticker", "presence", "giant-room"])
def test_a_scenario_about_rooms_says_so_in_one_line_where_there_are_none(squall, scenario):
    plan = squall.out / "plan.toml"
    plan.write_text(PLAN.format(url="ws://127.0.0.1:1").replace('"telemetry"', f'"{scenario}"'))
    run = squall.run(plan)
    assert run.code == 2
    assert run.err.strip() == (
        f'squall: load.scenario: "{scenario}" is about rooms, and the plan has none: change load.room_sizes '
        "(a server that sends everything to all sessions has one room)"
    )
    assert not list(squall.out.glob("runs/*"))
