"""Right endpoints under more load than their throttle lets through: nothing is found, and the bucket is measured."""

import pytest

pytestmark = pytest.mark.slow(reason="whole runs")

CALM = ("--set", "chaos=[]", "--sessions=10", "--rooms=2")


def spans(measure, value):
    return measure["low"] <= value <= measure["high"]


def test_a_right_endpoint_is_measured_and_not_accused_under_overload(squall, chaotic_plan):
    run = squall.run(chaotic_plan, *CALM, "--rate=14")
    assert run.findings == {}, run.report["findings"]
    limit = run.report["rejections"]["limit"]
    assert limit["exceeded"] == 10 and limit["throttled"] > 0
    assert spans(limit["measured"]["rate_per_s"], 10.0) and spans(limit["measured"]["size"], 20)


@pytest.mark.parametrize(
    ("promised", "finding"), [(50, None), (25, "throttle-not-enforced"), (100, "throttle-too-strict")]
)
def test_a_bucket_that_all_sessions_share_is_judged_as_one(squall, chaotic_plan, promised, finding):
    wide = "endpoint.serve={ throttle-per-s = 1000, throttle-burst = 1000, endpoint-per-s = 50, endpoint-burst = 20 }"
    contract = f'contract={{ throttle_per_s = {promised}.0, throttle_burst = 20, throttle_scope = "endpoint" }}'
    run = squall.run(chaotic_plan, *CALM, "--rate=14", "--set", wide, "--set", contract, "--set", "observe={}")
    assert set(run.findings) - {"refused-joins"} == ({finding} if finding else set()), run.report["findings"]
    assert spans(run.report["rejections"]["limit"]["measured"]["rate_per_s"], 50.0)
