import itertools
import random

import numpy as np
import pytest

from harness.record.row import Gauge
from reports.sections.growth import _kendall_limit, slope

HOUR_S = 3600


def soaked(make, level, *, seconds=1200, gauge=Gauge.RESIDENT_BYTES, every=1):
    """A run of twenty minutes in which a gauge, sampled every so many seconds, is level(second)."""
    run = make(load={"sessions": 4, "rooms": 2, "ramp_s": 1.0, "duration_s": float(seconds)}).member(0, 1)
    run.publish(0, 1, 3000).deliver(0, 0, 1, 3002).deliver(1, 0, 1, 3002)
    for second in range(0, seconds, every):
        run.sample(gauge, round(level(second)), at=1500 + 1000 * second)
    run.ended = 1000 * (seconds + 5)
    return run.report()["growth"]


def mib(value):
    return value * 2**20


def test_a_leak_is_called_growth_with_its_slope_inside_the_interval(make):
    chance = random.Random(1)
    (found,) = soaked(make, lambda s: mib(100 + 30 * s / HOUR_S + chance.gauss(0, 0.5)))
    assert (found["whose"], found["what"], found["verdict"]) == ("generator", "resident_mib", "grows")
    assert found["low_per_h"] <= 30 <= found["high_per_h"]
    assert found["per_h"] == pytest.approx(30, rel=0.2)


def test_noise_about_a_level_is_steady_and_says_how_much_could_hide_in_it(make):
    chance = random.Random(2)
    (found,) = soaked(make, lambda s: mib(100 + chance.gauss(0, 2)))
    assert found["verdict"] == "steady"
    assert found["low_per_h"] <= 0 <= found["high_per_h"]
    assert 0 < found["high_per_h"] < 10


def test_warming_up_is_no_growth(make):
    (found,) = soaked(make, lambda s: mib(100 + 40 * min(1, s / 200)))
    assert found["verdict"] == "steady"


def test_a_rise_too_small_to_matter_is_steady_and_still_shown(make):
    (found,) = soaked(make, lambda s: mib(100 + 0.5 * s / HOUR_S))
    assert found["verdict"] == "steady"
    assert found["per_h"] == pytest.approx(0.5, rel=0.1)


def test_descriptors_that_are_never_given_back_are_growth(make):
    (found,) = soaked(make, lambda s: 50 + s // 60, gauge=Gauge.DESCRIPTORS, every=10)
    assert (found["what"], found["verdict"]) == ("descriptors", "grows")
    assert found["per_h"] == pytest.approx(60, rel=0.1)


def test_what_the_endpoint_says_of_itself_is_told_apart(make):
    (found,) = soaked(make, lambda s: mib(200 - 100 * s / HOUR_S), gauge=Gauge.ENDPOINT_RESIDENT_BYTES, every=5)
    assert (found["whose"], found["verdict"]) == ("endpoint", "shrinks")


@pytest.mark.parametrize(
    ("promised", "per_h", "found"), [(20.0, 30, True), (40.0, 30, False), (0.0, 0, False), (None, 30, None)]
)
def test_an_endpoint_that_grows_by_more_than_promised_is_a_finding(make, promised, per_h, found):
    chance = random.Random(4)
    load = {"sessions": 4, "rooms": 2, "ramp_s": 1.0, "duration_s": 1200.0}
    run = make(load=load, contract={"grows_mib_per_h": promised}).member(0, 1)
    for second in range(0, 1200, 5):
        level = mib(100 + per_h * second / HOUR_S + chance.gauss(0, 0.3))
        run.sample(Gauge.ENDPOINT_RESIDENT_BYTES, round(level), at=1500 + 1000 * second)
    run.ended = 1_205_000
    report = run.report()
    counted = report["finding_counts"]["memory-grows"]
    assert counted is None if found is None else 20 <= counted <= 30 if found else counted == 0
    assert any(made["name"] == "memory-grows" for made in report["findings"]) == bool(found)


def test_a_short_load_is_not_judged(make):
    assert soaked(make, lambda s: mib(100 + s), seconds=100) == []


def test_a_gauge_that_was_not_sampled_all_the_time_is_not_judged(make):
    assert soaked(make, lambda s: mib(100 + s), every=300) == []


def test_steady_noise_is_called_growth_no_more_often_than_the_interval_says():
    chance, excluded = random.Random(3), 0
    for _ in range(400):
        times = np.arange(0, 1000, 10) * 10**9
        values = np.array([chance.gauss(100, 1) for _ in times])
        found = slope(times, values, 0, 1000 * 10**9)
        excluded += not found.low_per_h <= 0 <= found.high_per_h
    assert excluded / 400 < 0.08


@pytest.mark.parametrize("count", [4, 5, 6, 7])
def test_kendalls_limit_is_the_one_that_counting_all_orders_gives(count):
    scores = []
    for order in itertools.permutations(range(count)):
        pairs = itertools.combinations(order, 2)
        scores.append(sum(1 if a < b else -1 for a, b in pairs))
    limit = _kendall_limit(count, 0.25)
    assert sum(abs(score) > limit for score in scores) <= 0.25 * len(scores)
    assert sum(abs(score) > limit - 2 for score in scores) > 0.25 * len(scores)
