"""Memory that is kept for each connection that has ended, in a run too short to judge growth by the hour."""

import random

import pytest

from harness.record.row import Gauge


def churned(make, connections, kept_bytes, noise=0):
    chance = random.Random(1)
    run = make(contract={"grows_mib_per_h": 200})
    run.member(0).publish(0, 1, 3000).deliver(0, 0, 1, 3002)
    ended = 0
    for at in range(1500, 20_500, 100):
        while ended < connections * (at - 1500) // 19_000:
            run.open(1, at=at, conn=ended).close(1, at + 1, conn=ended)
            ended += 1
        run.sample(Gauge.ENDPOINT_RESIDENT_BYTES, 2**26 + ended * kept_bytes + chance.randint(0, noise), at=at + 50)
    return run.report()


@pytest.mark.parametrize("kept_kib", [0, 4, 256])
def test_each_connection_s_share_is_in_the_interval(make, kept_kib):
    found = churned(make, 190, kept_kib * 1024, noise=2**16)["turnover"]
    assert found["kib_per_connection"] == pytest.approx(kept_kib, abs=1)
    assert found["low_kib"] <= found["kib_per_connection"] <= found["high_kib"]
    assert found["rise_mib"] == pytest.approx(189 * kept_kib / 1024, abs=0.5)


@pytest.mark.parametrize(("connections", "judged"), [(0, False), (15, False), (25, True)])
def test_too_few_ends_say_nothing(make, connections, judged):
    assert (churned(make, connections, 1024)["turnover"] is not None) is judged


def test_growth_is_not_judged_and_the_reason_says_what_each_connection_cost(make):
    report = churned(make, 190, 2**18)
    assert report["finding_counts"]["memory-grows"] is None
    assert f"{report['turnover']['kib_per_connection']:g} KiB" in report["not_judged"]["memory-grows"]
