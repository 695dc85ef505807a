import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engine.self_metrics import Looked, SelfMetrics, Warnings, descriptors
from harness.plan import Fitness
from harness.record.row import Gauge
from harness.record.spread import Measured, Spread
from harness.units import SECOND
from tests.exhausted import no_descriptors

MS = 1_000_000
CALM = Looked(open_sessions=10, held=0, unsent_bytes=0, reads=100, unstamped=0, late_answers=0, step_ns=0)


class Unlisted:
    """The directory of our descriptors on an old kernel, with none left to list it."""

    def stat(self):
        return os.stat_result([0] * 10)

    def iterdir(self):
        raise OSError(errno.EMFILE, "Too many open files")


@pytest.fixture
def metrics(monkeypatch):
    """A process that is well, whatever the machine of the test does: its CPU and descriptors are told."""
    own = {"cpu": 0, "descriptors": 50}
    monkeypatch.setattr("harness.engine.self_metrics.time.process_time_ns", lambda: own["cpu"])
    monkeypatch.setattr("harness.engine.self_metrics.descriptors", lambda _: own["descriptors"])
    made = SelfMetrics(Fitness(), 0, stamped=True)
    made.own = own
    yield made
    made.close()


def look(metrics, second=1, cpu=0.1, **seen):
    metrics.own["cpu"] += round(cpu * SECOND)
    return metrics.look(second * SECOND, CALM._replace(**seen))


# -- what is measured ---------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=300))
def test_few_values_are_ranked_exactly(values):
    spread = Spread()
    for value in values:
        spread.add(value)
    ordered = sorted(values)
    exact = [ordered[-(-share * len(values) // 100) - 1] for share in (50, 99)]
    assert spread.take() == Measured(*exact, ordered[-1])
    assert spread.take() is None


def test_many_values_are_sampled_evenly_and_the_worst_is_kept():
    spread = Spread()
    for value in range(100_000):
        spread.add(value)
    spread.add(10**9)
    spread.add(3)
    found = spread.take()
    assert found.p50 == pytest.approx(50_000, rel=0.01)
    assert found.p99 == pytest.approx(99_000, rel=0.01)
    assert found.most == 10**9


def test_a_look_gives_a_value_for_each_gauge_and_none_for_what_did_not_happen(metrics):
    for lag in (1, 2, 300):
        metrics.lags.add(lag)
    metrics.ticked(7)
    metrics.ticked(5)
    values = look(metrics, cpu=0.25, unsent_bytes=4)
    lags = [values[gauge] for gauge in (Gauge.LAG_P50_NS, Gauge.LAG_P99_NS, Gauge.LAG_MAX_NS)]
    assert lags == [2, 300, 300]
    assert Gauge.READ_LAG_P99_NS not in values
    assert (values[Gauge.CPU_PERMILLE], values[Gauge.LOOP_LAG_NS], values[Gauge.DESCRIPTORS]) == (250, 7, 50)
    assert values[Gauge.UNSENT_BYTES] == 4
    assert values[Gauge.RESIDENT_BYTES] > 1 << 20
    again = look(metrics, 2)
    assert Gauge.LAG_P50_NS not in again
    assert again[Gauge.LOOP_LAG_NS] == 0


def test_descriptors_are_counted(tmp_path):
    before = descriptors(0)
    with (tmp_path / "a").open("w"), (tmp_path / "b").open("w"):
        assert descriptors(0) == before + 2


def test_a_process_without_a_descriptor_left_still_looks_at_itself():
    metrics = SelfMetrics(Fitness(), 0, stamped=True)
    with no_descriptors():
        values = metrics.look(10 * SECOND, CALM)
    metrics.close()
    assert values[Gauge.RESIDENT_BYTES] > 1 << 20


def test_descriptors_that_cannot_be_listed_are_not_counted(monkeypatch):
    monkeypatch.setattr("harness.engine.self_metrics.OWN_DESCRIPTORS", Unlisted())
    assert descriptors(0) is None


# -- what is wrong ------------------------------------------------------------------------------------------------


def test_a_process_that_is_well_says_nothing(metrics):
    for second in range(1, 20):
        for _ in range(100):
            metrics.lags.add(2 * MS)
            metrics.read_lags.add(MS)
        metrics.ticked(40 * MS)
        look(metrics, second, cpu=0.8, reads=100 * second, unstamped=second)
        assert metrics.warnings == ()


def late(metrics):
    for _ in range(100):
        metrics.lags.add(80 * MS)
    return {}


def slow_to_look(metrics):
    for _ in range(100):
        metrics.read_lags.add(90 * MS)
    return {}


def leaking(metrics):
    look(metrics)
    metrics.own["descriptors"] += 100
    return {"second": 2}


SICK = {
    "late sends: send delay p99 80 ms (limit 50 ms)": late,
    "late reads: read delay p99 90 ms (limit 50 ms)": slow_to_look,
    "CPU overload: 97% of a core (limit 85%)": lambda _: {"cpu": 0.97},
    "clock step: the wall clock moved by -3.0 ms, arrival times cannot be trusted": lambda _: {"step_ns": -3 * MS},
    "missing kernel timestamps: 5 of 100 reads have none": lambda _: {"unstamped": 5},
    "stalled scenario: nothing sent, 7 clients have overdue messages": lambda _: {"overdue": 7},
    "descriptor leak: 100 more are open than before with the same number of sessions": leaking,
}


@pytest.mark.parametrize("said", SICK)
def test_each_sickness_is_told_in_its_own_words_and_no_other(metrics, said):
    look(metrics, **SICK[said](metrics))
    assert metrics.warnings == (said,)


def test_one_late_message_of_a_thousand_is_no_sickness(metrics):
    for _ in range(999):
        metrics.lags.add(MS)
    metrics.lags.add(900 * MS)
    look(metrics)
    assert metrics.warnings == ()


def test_where_no_stamps_were_promised_none_is_missed(metrics):
    metrics._stamped = False
    look(metrics, unstamped=100)
    assert metrics.warnings == ()


def test_descriptors_that_come_and_go_with_sessions_are_explained(metrics):
    run = [(0, 20), (100, 120), (1000, 1020), (1000, 1025), (600, 630), (1000, 1030), (1000, 1060)]
    for second, (sessions, count) in enumerate(run, 1):
        metrics.own["descriptors"] = count
        look(metrics, second, open_sessions=sessions)
        assert metrics.warnings == (), (sessions, count)
    metrics.own["descriptors"] = 1400
    look(metrics, 9, open_sessions=700, held=300)
    assert "descriptor leak: 380 " in metrics.warnings[0]


def test_limits_are_the_plans(metrics):
    metrics._limits = Fitness(lag_p99_ms=100, cpu_share=0.99)
    late(metrics)
    look(metrics, cpu=0.97)
    assert metrics.warnings == ()


def test_a_warning_is_told_when_it_begins_and_now_and_then_while_it_lasts():
    warnings = Warnings(3)
    told = [warnings.fresh([f"late: {n} ms"] if n else []) for n in (0, 5, 6, 7, 8, 9)]
    assert told == [[], ["late: 5 ms"], [], [], ["late: 8 ms"], []]
    assert warnings.fresh(["late: 1 ms", "our CPU is at 97%"]) == ["our CPU is at 97%"]
