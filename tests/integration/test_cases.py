"""A server that Squall was not made for, wrong in one way at a time: what is found is what the server counts.

The right server under the same plan shows nothing.
"""

import json
import shutil
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.cases.table import CASES, HERE, Case, served
from tests.integration.loose import LOOSE

pytestmark = pytest.mark.slow(reason="a whole run for each fault, and for its right twin")

AT_ONCE = 5
TWINS = tuple(dict.fromkeys(case.twin for case in CASES))


class Said:
    """What Squall said of a case, and what the server counted."""

    def __init__(self, report, counts, err):
        self.report, self.counts, self.err = report, counts, err
        self.findings = {name: count for name, count in report["finding_counts"].items() if count}


@pytest.fixture(scope="module")
def said(shared_squall, tmp_path_factory):
    """For each case: run it, several at a time."""
    folder = tmp_path_factory.mktemp("cases")
    for name in ("plan.toml", "say.json"):
        shutil.copy(HERE / name, folder)

    def run(number, case):
        with served(case, folder / f"{number}.log") as (url, counts):
            run = shared_squall.run(
                folder / "plan.toml", *LOOSE, *case.options, "--url", url, env={"SQUALL_JWT_SECRET": "s" * 32}
            )
        assert run.out, run.err
        return Said(json.loads((run.path / "report.json").read_text()), counts, run.err)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures: dict[Case, Future] = {
            case: pool.submit(run, number, case) for number, case in enumerate((*CASES, *TWINS))
        }
        yield lambda case: futures[case].result()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_a_fault_is_found_under_its_name_as_often_as_it_struck(said, case):
    of = said(case)
    assert of.counts["struck"] > 0, "the fault did not strike"
    assert set(of.findings) == set(case.found), of.report["findings"]
    if case.exactly:
        assert of.findings[case.found[0]] == of.counts["struck"]


@pytest.mark.parametrize("twin", TWINS, ids=lambda case: " ".join(case.options) or "plain")
def test_the_right_server_shows_nothing(said, twin):
    of = said(twin)
    assert of.findings == {}, of.report["findings"]
    assert of.report["ledger"]["all"]["owed"] > 0
