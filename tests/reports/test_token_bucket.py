"""Token buckets by themselves: a right one is never accused, and is among those that explain what it did."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.token_bucket import Evidence, Spans, estimate, excess, least_tokens, running_least, smallest


def spans(bucket, since, until):
    return Spans(np.array(bucket, int), np.array(since, float), np.array(until, float))


class Seen:
    """Requests of some buckets of one rate and size: when they were sent and answered, and which were accepted."""

    def __init__(self, rate, size, gaps_of, delays, wait=0.0):
        self.bucket, self.sent, self.answered, self.accepted = [], [], [], []
        for bucket, gaps in enumerate(gaps_of):
            tokens, handled, at = float(size), 0.0, 1.0
            for number, gap in enumerate(gaps):
                at += gap
                there, back = (delays[(number + side) % len(delays)] for side in (0, 1))
                before, handled = handled, max(handled, at + there)
                tokens = min(size, tokens + (handled - before) * rate)
                self.bucket.append(bucket)
                self.sent.append(at)
                self.answered.append(handled + wait + back)
                self.accepted.append(tokens >= 1)
                tokens -= tokens >= 1

    def part(self, accepted):
        chosen = [number for number, one in enumerate(self.accepted) if one == accepted]
        return spans(*([column[number] for number in chosen] for column in (self.bucket, self.sent, self.answered)))

    def evidence(self, step=1):
        full = np.full(1 + max(self.bucket), -np.inf)
        return Evidence(self.part(True), self.part(True), self.part(False), full, step)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_right_bucket_is_never_accused_whatever_the_network_does(data):
    rate, size = data.draw(st.floats(0.1, 500)), data.draw(st.integers(1, 30))
    gaps = st.lists(st.one_of(st.just(0.0), st.floats(0, 0.5)), min_size=1, max_size=60)
    seen = Seen(
        rate,
        size,
        data.draw(st.lists(gaps, min_size=1, max_size=3)),
        data.draw(st.lists(st.floats(0, 0.3), min_size=2, max_size=5)),
    )
    evidence = seen.evidence()
    assert excess(evidence.accepted, rate, size) is None
    assert smallest(evidence, rate) <= size + 1e-6
    assert (least_tokens(evidence, rate, size) < 1).all()


@pytest.mark.parametrize("step", [1, 7])
@pytest.mark.parametrize("delay_s", [0.0001, 0.02])
@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.2, 2.0])
def test_a_bucket_under_load_is_among_those_that_explain_it(factor, delay_s, step):
    rng = np.random.default_rng(7)
    rate, size = 10 * factor, 20 * factor
    seen = Seen(
        rate, size, [rng.exponential(1 / 40, 600) for _ in range(1 if step > 1 else 5)], [0.0, delay_s, delay_s / 3]
    )
    found = estimate(seen.evidence(step))
    assert found.rate.low <= rate <= found.rate.high <= rate * (1.02 if step == 1 else 1.2)
    assert found.size.low <= size <= found.size.high <= size + (1 if step == 1 else 2 * step)
    assert found.rate.low > 0 and found.rate.middle == pytest.approx(rate, rel=0.01 if step == 1 else 0.1)


def test_even_load_is_not_explained_by_luck():
    seen = Seen(20.0, 40, [[1 / 30] * 400 for _ in range(4)], [0.001, 0.003, 0.002])
    found = estimate(seen.evidence())
    assert found.rate.low <= 20 <= found.rate.high < 21 and found.size.low > 38


def test_nothing_accepted_or_nothing_refused_gives_no_estimate():
    assert estimate(Seen(10.0, 20, [[0.2] * 10], [0.001, 0.001]).evidence()) is None
    nobody, refused = spans([], [], []), spans([0], [1.0], [1.1])
    assert estimate(Evidence(nobody, nobody, refused, np.array([-np.inf]))) is None
    assert excess(nobody, 10.0, 20) is None


def test_an_endpoint_that_is_slow_with_every_answer_is_still_measured():
    rng = np.random.default_rng(3)
    seen = Seen(10.0, 20, [rng.exponential(1 / 25, 400) for _ in range(4)], [0.001, 0.002], wait=0.5)
    found = estimate(seen.evidence())
    assert found.rate.low <= 10 <= found.rate.high < 11
    assert found.size.low <= 20 <= found.size.high < 32


def test_the_excess_is_of_the_bucket_in_which_it_was():
    many = spans([0] * 5 + [1] * 23 + [2] * 20, [1.0] * 48, [1.01] * 48)
    found = excess(many, 10.0, 20)
    assert (found.count, found.buckets, found.bucket, found.accepted, found.allowed) == (3, 1, 1, 23, 20)


def test_the_running_least_is_each_segments_own():
    values, starts = np.array([3.0, 1.0, 2.0, 9.0, 8.0, 8.5, -4.0]), np.array([0, 3, 6])
    assert running_least(values, starts).tolist() == [3.0, 1.0, 1.0, 9.0, 8.0, 8.0, -4.0]
