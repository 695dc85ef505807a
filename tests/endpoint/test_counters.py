"""The histogram that hot code adds to."""

import math

from hypothesis import given
from hypothesis import strategies as st

from harness.endpoint.counters import BOUNDS_S, Latency


@given(st.lists(st.floats(0, 100), max_size=50))
def test_every_duration_is_in_the_first_bucket_whose_bound_it_does_not_exceed(durations):
    latency = Latency()
    for duration in durations:
        latency.add(duration)
    bounds = (*BOUNDS_S, math.inf)
    below = -math.inf
    for bound, count in zip(bounds, latency.counts, strict=True):
        assert count == sum(below < duration <= bound for duration in durations)
        below = bound
    assert math.isclose(latency.sum_s, math.fsum(durations), abs_tol=1e-9)
