"""What a finding says beside its count: when it was seen first, and whose it was."""

import errno

import pytest

from harness.record.row import Closer, Kind, Outcome
from harness.record.run_directory import open_run
from reports.occasion import occasion, when
from reports.rows import load
from tests.fault_numbers import Fault

from .test_findings import PLANS, WRONG

SEEN = {
    "stale": (3.0, "session 1"),
    "forgotten": (9.005, "session 2"),
    "malformed-accepted": (3.102, "session 0"),
    "malformed-accepted ": (3.002, "session 0"),
    "wrong-code": (3.002, "session 0"),
    "garbled": (3.002, "session 1"),
    "unanswered": (2.0, "session 0"),
    "unexpected-close": (6.0, "session 1"),
    "memory-grows": (None, "the endpoint's process"),
}


@pytest.mark.parametrize("name", SEEN)
def test_a_finding_says_when_it_was_seen_first_and_whose_it_was(make, name):
    run = make(**PLANS.get(name, {}))
    WRONG[name][0](run)
    (finding,) = run.report()["findings"]
    assert (finding["name"], finding["first_s"], finding["whom"]) == (name.strip(), *SEEN[name])


def test_what_this_machine_closed_is_not_the_first_close_of_the_endpoint(make):
    run = make().member(0, 1, 2)
    run.close(0, 2000, closer=Closer.RESET, code=errno.EMFILE).close(1, 4000, closer=Closer.ENDPOINT, code=1011)
    run.close(2, 3000, closer=Closer.RESET, code=104)
    assert run.report()["closes"]["unexpected_at"] == {"first_s": 3.0, "whom": "sessions 1, 2"}


def test_unanswered_requests_and_malformed_payloads_are_named_together(make):
    run = make().member(0, 1).fault(1, Fault.MALFORMED, 3000)
    run.probe(1, 1, 3000, Outcome.EXPIRED, code=0).row(Kind.PING, Outcome.EXPIRED, session=0, sent=5000, due=4990)
    report = run.report()
    assert report["finding_counts"]["unanswered"] == 2
    assert report["rejections"]["unanswered_at"]["whom"] == "sessions 0, 1"


def test_nothing_seen_has_no_occasion(clean):
    report = clean.report()
    assert report["closes"]["unexpected_at"] is None
    assert report["rejections"]["unanswered_at"] is None and report["rejections"]["garbled_at"] is None
    assert when(None) == {"first_s": None, "whom": ""}


@pytest.mark.parametrize(
    ("columns", "first_s"), [({"due": 1000}, 1.0), ({"due": 1000, "sent": 1500}, 1.5),
                             ({"due": 1000, "sent": 1500, "arrived": 2000}, 2.0)]
)  # fmt: skip
def test_a_row_is_dated_by_the_latest_of_its_times(make, columns, first_s):
    run = make().row(Kind.PING, Outcome.EXPIRED, session=3, **columns)
    run.report()
    rows = load(open_run(run.path))
    seen = occasion(rows, rows.of(Kind.PING))
    assert (seen.first_s, seen.whom) == (first_s, "session 3")
