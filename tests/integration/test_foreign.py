"""A chat server on another stack, through the json dialect and the shipped plan: the ledger balances there too."""

import pytest

from tests.foreign.serving import Unavailable, foreign_server

pytestmark = pytest.mark.slow(reason="whole runs against a server on another stack")


@pytest.fixture(scope="module")
def run(shared_squall):
    try:
        with foreign_server() as server:
            yield shared_squall.run("foreign-chat", "--set", f'endpoint.url="{server.url}?name={{key}}"')
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_nothing_is_found_wrong_with_a_right_server(run):
    assert run.complete_report["ledger"]["all"]["owed"] > 500
    assert run.findings == {}


def test_broadcasts_are_owed_and_paid_to_the_others_only(run):
    ledger = run.report["ledger"]
    assert ledger["all"]["owed"] == ledger["all"]["paid"] > 500
    assert ledger["unaffected"]["owed"] > 0
    assert ledger["affected"]["owed"] > 0


def test_dropped_clients_are_noticed_by_its_own_list(run):
    stale = run.report["stale"]
    assert stale["dropped"] == stale["detected"] > 0
    assert stale["forgotten"] == 0


def test_malformed_json_is_rejected_by_its_own_codes(run):
    malformed = run.report["rejections"]["malformed"]
    assert malformed["sent"] == malformed["rejected_as_expected"] > 0
