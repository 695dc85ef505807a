"""Who owns a session, against users and processes dealt like cards by hand."""

import pytest

from harness.plan import build_plan
from harness.schedule.ownership import owned, owner


def test_a_process_with_a_user_more_than_another_has_the_sessions_of_that_user_more():
    load = build_plan({"load": {"sessions": 1000, "sessions_per_user": 300}}).load
    assert load.users == 4  # of 250 sessions each; of three processes the first gets the first user and the fourth
    assert [len(owned(load, rank, 3)) for rank in range(3)] == [500, 250, 250]
    assert [owner(load, session, 3) for session in range(8)] == [0, 1, 2, 0] * 2


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_every_session_has_exactly_one_owner(processes):
    load = build_plan({"load": {"sessions": 1000, "sessions_per_user": 300}}).load
    shares = [owned(load, rank, processes) for rank in range(processes)]
    assert sorted(number for share in shares for number in share) == list(range(1000))
    assert {owner(load, number, processes) for number in range(1000)} == {
        rank for rank in range(processes) if shares[rank]
    }
