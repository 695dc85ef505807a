"""Whole runs by polling, hybrid and all three patterns: nothing is found at a right endpoint, what it loses shows."""

import pytest

from tests.client.patterns.serving import rooms_server

pytestmark = pytest.mark.slow(reason="whole runs of each way of talking")

SMALL = """
name = "small"
seed = 5
[endpoint.serve]
ping-interval-s = 1
ping-timeout-s = 4
[load]
sessions = 24
rooms = 4
rate_per_s = 2.0
ramp_s = 1.0
duration_s = 8.0
settle_s = 2.0
"""
CHAOS = """
[[chaos]]
fault = "drop"
how = "reset"
at_s = 3.0
count = 2
[[chaos]]
fault = "drop"
how = "stall"
at_s = 3.2
count = 2
[[chaos]]
fault = "drop"
how = "fin"
at_s = 3.4
count = 2
[[chaos]]
fault = "drop"
how = "close"
at_s = 3.6
count = 1
[[chaos]]
fault = "drop"
how = "half-open"
at_s = 3.8
count = 2
[[chaos]]
fault = "burst"
at_s = 4.0
count = 2
messages = 30
[[chaos]]
fault = "malformed"
at_s = 4.5
count = 2
messages = 10
"""
MIX = ("--set", "load.mix={chat=1, polling=1, hybrid=1}")
INTERVAL = ("--set", 'endpoint.rest.mode="interval"', "--set", "endpoint.rest.every_s=0.7")
RUNS = {
    "polling": ("--set", 'load.scenario="polling"'),
    "interval": ("--set", 'load.scenario="polling"', *INTERVAL),
    "hybrid": ("--set", 'load.scenario="hybrid"'),
    "patterns": MIX,
    "patterns, 8 to a user": (*MIX, "--set", "load.sessions_per_user=8"),
}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "small.toml"
    path.write_text(SMALL + CHAOS)
    return path


@pytest.fixture(scope="module")
def runs(shared_squall, plan):
    """All at once: each is light."""
    started = {name: shared_squall.start_run(plan, *more) for name, more in RUNS.items()}
    return {name: shared_squall.wait(process) for name, process in started.items()}


@pytest.mark.parametrize("name", RUNS)
def test_nothing_is_found_wrong_with_a_right_endpoint(runs, name):
    run = runs[name]
    books = run.complete_report["ledger"]
    assert run.findings == {}, run.report["findings"]
    assert books["unaffected"]["owed"] == books["unaffected"]["paid"] > 300
    assert books["affected"]["owed"] == books["affected"]["paid"] > 50


@pytest.mark.parametrize("name", RUNS)
def test_whoever_was_dropped_came_back(runs, name):
    recovery = runs[name].report["recovery"]
    assert recovery["lost"] == recovery["recovered"] >= 9  # the endpoint may close for a malformed frame, too


@pytest.mark.parametrize("name", ["polling", "interval", "hybrid"])
def test_malformed_posts_are_refused_as_the_contract_says(runs, name):
    malformed = runs[name].report["rejections"]["malformed"]
    assert malformed["sent"] == malformed["rejected_as_expected"] == 20


@pytest.mark.parametrize("name", ["polling", "interval"])
def test_a_dropped_poller_is_excused_from_the_list_and_misses_nothing(runs, name):
    report = runs[name].report
    assert (report["stale"]["dropped"], report["stale"]["not_listed"]) == (0, 9)
    assert report["ledger"]["missed_while_away"] == 0


def test_a_dropped_hybrid_is_noticed_by_its_websocket(runs):
    stale = runs["hybrid"].report["stale"]
    assert (stale["dropped"], stale["not_listed"]) == (9, 0)
    assert stale["by_method"]["reset"]["detected"] == 2


@pytest.mark.parametrize("name", ["patterns", "patterns, 8 to a user"])
def test_the_three_patterns_are_compared_in_one_report(runs, name):
    found = {one["scenario"]: one for one in runs[name].report["patterns"]}
    assert set(found) == {"chat", "polling", "hybrid"}
    for one in found.values():
        assert one["sessions"] == 8
        assert one["figures"]["response"]["count"] > 20
        assert one["figures"]["delivery"]["count"] == one["deliveries"] > 100
    assert found["chat"]["requests"] == 0
    assert found["hybrid"]["requests"] == found["hybrid"]["sent"]
    assert found["polling"]["frames"] == 0
    assert found["polling"]["polls_failed"] == 0


# -- a server that we wrote apart from the endpoint ------------------------------------------------------------------


APART = {"patterns": MIX, "polling": RUNS["polling"], "interval": RUNS["interval"]}


@pytest.fixture(scope="module")
def apart(shared_squall, tmp_path_factory):
    calm = tmp_path_factory.mktemp("plan") / "calm.toml"
    calm.write_text(SMALL.replace("[endpoint.serve]\nping-interval-s = 1\nping-timeout-s = 4\n", ""))
    with rooms_server() as right, rooms_server("--lose", "0.02") as wrong:
        started = {}
        for server, url in (("right", right), ("wrong", wrong)):
            where = f'endpoint.url="{url.replace("http", "ws")}/ws?client={{key}}"'
            for name, more in APART.items():
                started[server, name] = shared_squall.start_run(
                    calm, "--set", where, "--set", "load.duration_s=5.0", *more
                )
        return {which: shared_squall.wait(process) for which, process in started.items()}


@pytest.mark.parametrize("name", APART)
def test_a_server_that_loses_nothing_has_nothing_found(apart, name):
    run = apart["right", name]
    ledger = run.complete_report["ledger"]["all"]
    assert run.findings == {}, run.report["findings"]
    assert ledger["owed"] == ledger["paid"] > 100


@pytest.mark.parametrize("name", APART)
def test_what_a_server_loses_shows_as_lost_and_as_nothing_else(apart, name):
    run = apart["wrong", name]
    ledger = run.complete_report["ledger"]["all"]
    assert set(run.findings) == {"lost"}, run.report["findings"]
    assert 0.02 / 3 < ledger["lost"] / ledger["owed"] < 0.02 * 3


# -- mistakes --------------------------------------------------------------------------------------------------------


def test_a_rest_interface_that_is_not_there_is_one_line(squall, plan):
    with rooms_server() as url:
        where = f'endpoint.url="{url.replace("http", "ws")}/ws?client={{key}}"'
        polling = ("--set", "chaos=[]", "--set", 'load.scenario="polling"')
        run = squall.run(plan, "--set", "endpoint.serve={}", "--set", where, *polling, "--set",
                         'endpoint.rest.poll="/nothing/{room}?after={after}"')  # fmt: skip
        other = squall.run(plan, "--set", "endpoint.serve={}", "--set", where, *polling, "--set",
                           'endpoint.rest.messages="items"')  # fmt: skip
    assert (run.code, other.code) == (3, 3)
    assert "endpoint.rest" in run.err and "HTTP 404" in run.err and "check endpoint.rest.poll" in run.err
    assert "holds no list of messages" in other.err and "endpoint.rest.messages" in other.err
    assert "Traceback" not in run.err + other.err


def test_a_server_that_does_not_let_us_in_is_one_line_without_the_token(squall, plan):
    with rooms_server("--token", "other") as url:
        where = f'endpoint.url="{url.replace("http", "ws")}/ws?client={{key}}"'
        run = squall.run(plan, "--set", "endpoint.serve={}", "--set", where, "--set", "chaos=[]", "--set",
                         'load.scenario="polling"', "--set", 'endpoint.auth={kind="token", token_env="MINE"}',
                         env={"MINE": "my-own-token"})  # fmt: skip
    assert run.code == 3
    assert "HTTP 401" in run.err and "check endpoint.auth" in run.err
    assert "my-own-token" not in run.err + run.out
