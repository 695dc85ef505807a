"""A list of connections that names none of ours judges nothing, and says what it named instead."""

import pytest

from harness.record.row import Kind
from reports import words
from tests.fault_numbers import Fault


def watched(make, looks=range(0, 15_000, 1000), opened=10, ours=()):
    """Sessions 0 and 1 chatter, 1 is dropped at 5 s, and the list is read; `ours` of our sessions are in it."""
    run = make().open(0, at=opened).join(0, at=opened + 5).open(1, at=opened).join(1, at=opened + 5)
    run.publish(0, 1, opened + 1000).deliver(0, 0, 1, opened + 1003).deliver(1, 0, 1, opened + 1003)
    for session in ours:
        run.listed(Kind.SEEN, session, 5, 15)
    for at in looks:
        run.poll(at)
    return run.fault(1, Fault.DROP_RESET, opened + 5000).close(1, opened + 5000, code=1006)


def counts(report):
    return [report["finding_counts"][name] for name in ("stale", "forgotten")]


def test_a_list_that_names_none_of_ours_judges_nothing(make):
    report = watched(make).report()
    assert counts(report) == [None, None]
    assert report["not_judged"]["stale"] == report["not_judged"]["forgotten"] == words.LIST_WITHOUT_OURS
    assert report["stale"]["names_none_of_ours"] is True


def test_what_it_names_instead_is_said_and_no_more_than_three(make):
    run = watched(make)
    for name in ("a", "b", "c", "d"):
        run.recorder.evidence(1, "listed", 0, f'"{name}"')
    report = run.report()
    assert report["stale"]["instead"] == ['"a"', '"b"', '"c"']
    assert report["not_judged"]["stale"] == words.LIST_OF_OTHERS.format(names='"a", "b", "c"')


@pytest.mark.parametrize("session", [0, 1])
def test_a_list_that_names_one_of_ours_is_judged(make, session):
    report = watched(make, ours=[session]).report()
    assert report["stale"]["names_none_of_ours"] is False
    assert report["finding_counts"]["forgotten"] == 0


@pytest.mark.parametrize(
    ("looks", "none_of_ours"),
    [
        ([0], False),  # before anything was open
        ([1010], False),  # just opened: it may not be in the list yet
        ([1012], True),
        ([0, 29_000], True),
    ],
)
def test_a_list_must_have_been_read_while_a_connection_was_open(make, looks, none_of_ours):
    report = watched(make, looks).report()
    assert report["stale"]["names_none_of_ours"] is none_of_ours
    assert counts(report) == [None, None]


def test_without_a_connection_no_list_can_name_one(make):
    report = make().poll(1000).poll(9000).report()
    assert report["stale"]["names_none_of_ours"] is False
