"""An endpoint that is wrong in one way shows under that name and no other; a right one shows nothing."""

import pytest

# defect -> the one finding it must show as
DEFECTS = {
    "": None,
    "lose=0.01": "lost",
    "duplicate=0.01": "duplicated",
    "stale-never": "stale",
    "throttle-off": "throttle-not-enforced",
    "schema-off": "malformed-accepted",
}


@pytest.fixture(scope="module")
def runs(shared_squall, chaotic_plan):
    """One run a defect, all at once: each is light."""
    started = {}
    for defect in DEFECTS:
        more = ["--set", f'endpoint.serve.defect="{defect}"'] if defect else []
        started[defect] = shared_squall.start_run(chaotic_plan, *more)
    return {defect: shared_squall.wait(process) for defect, process in started.items()}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_shows_under_its_own_name_and_no_other(runs, defect):
    run = runs[defect]
    assert run.code in (0, 3), run.err
    expected = DEFECTS[defect]
    assert set(run.findings) == ({expected} if expected else set()), run.report["findings"]


def test_a_clean_run_did_all_that_it_was_told(runs):
    report = runs[""].report
    assert report["fitness"]["verdict"] == "fit", report["fitness"]
    assert report["figures"]["response"]["untouched"]["count"] > 100
    assert runs[""].out.count("\n") == 1
