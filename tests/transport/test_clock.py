import time

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.transport.clock import Clock, FakeClock
from harness.units import SECOND


@pytest.fixture
def clock():
    clock = Clock()
    yield clock
    clock.close()


@pytest.fixture(params=[FakeClock, Clock])
def any_clock(request):
    clock = request.param()
    yield clock
    if isinstance(clock, Clock):
        clock.close()


def let_pass(clock, delay_ns):
    if isinstance(clock, FakeClock):
        clock.advance(delay_ns)
    else:
        clock.sleep_until(clock.now() + delay_ns)
        gevent.sleep(0.001)


def test_due_work_happens_in_the_order_of_its_due_times(any_clock):
    done = []
    now = any_clock.now()
    for delay in (3, 1, 2, 1):
        any_clock.at(now + delay * 1_000_000, lambda delay=delay: done.append(delay))
    let_pass(any_clock, 10_000_000)
    assert done == [1, 1, 2, 3]


def test_cancelled_work_never_happens(any_clock):
    done = []
    any_clock.after(1_000_000, lambda: done.append(1)).cancel()
    any_clock.after(1_000_000, lambda: done.append(2))
    let_pass(any_clock, 5_000_000)
    assert done == [2]


def test_due_work_happens_on_both_sides_of_a_second_and_in_another(clock):
    """The kernel's timer is set in seconds and nanoseconds."""
    turn = (clock.now() // SECOND + 1) * SECOND
    late = []
    for due in (turn - 2_000_000, turn - 1, turn, turn + 1, turn + 2_000_000, turn + SECOND + 3_000_000):
        clock.sleep_until(due)
        late.append(clock.now() - due)
    assert min(late) >= 0
    assert max(late) < SECOND // 2


def test_work_that_is_past_due_happens_at_once_but_not_from_within(any_clock):
    done = []
    any_clock.at(any_clock.now() - 5, lambda: done.append(1))
    assert not done
    let_pass(any_clock, 1_000_000)
    assert done == [1]


def test_work_that_fails_is_reported_and_does_not_stop_the_rest(any_clock):
    failures, done = [], []
    any_clock.failure = failures.append
    any_clock.after(1_000_000, lambda: 1 / 0)
    any_clock.after(1_000_001, lambda: done.append(1))
    let_pass(any_clock, 5_000_000)
    assert [type(failure) for failure in failures] == [ZeroDivisionError]
    assert done == [1]


def test_a_sleeper_that_is_killed_leaves_the_clock_usable(clock):
    sleeper = gevent.spawn(clock.sleep_until, clock.now() + 60 * SECOND)
    gevent.sleep(0)
    sleeper.kill()
    due = clock.now() + 1_000_000
    clock.sleep_until(due)
    assert clock.now() >= due


def test_many_sleepers_all_wake_after_their_time(clock):
    late = []

    def sleep(n):
        due = clock.now() + n * 10_000
        clock.sleep_until(due)
        late.append(clock.now() - due)

    gevent.joinall([gevent.spawn(sleep, n) for n in range(1000)], timeout=10)
    assert len(late) == 1000
    assert min(late) >= 0


@given(st.integers(-(10**9), 10**9))
def test_a_kernel_stamp_never_lies_after_the_read(skew):
    clock = FakeClock()
    assert clock.monotonic(clock.now() + skew, clock.now()) <= clock.now()


def test_a_kernel_stamp_lands_on_the_monotonic_clock(clock):
    before = clock.now()
    wall = time.time_ns()
    after = clock.now()
    stamp = clock.monotonic(wall, after)
    assert before - 1_000_000 <= stamp <= after


def test_a_step_of_the_wall_clock_is_noticed(clock, monkeypatch):
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 5 * SECOND)
    clock.look_at_wall(clock.now())
    assert abs(clock.step_ns - 5 * SECOND) < SECOND // 100


def test_an_agenda_that_has_run_empty_lets_the_process_sleep(clock, monkeypatch):
    looked = []
    run_due = clock._run_due
    clock._alarm.close()
    monkeypatch.setattr(clock, "_run_due", lambda: (looked.append(1), run_due()))
    clock._alarm = type(clock._alarm)(lambda: clock._run_due())
    done = []
    clock.after(1_000_000, lambda: done.append(1))
    gevent.sleep(0.05)
    assert done == [1]
    assert len(looked) == 1


def test_work_asked_for_by_work_happens_though_nothing_else_is_due(any_clock):
    done = []
    any_clock.after(1_000_000, lambda: any_clock.after(1_000_000, lambda: done.append(1)))
    let_pass(any_clock, 10_000_000)
    assert done == [1]


def test_an_agenda_goes_on_after_work_that_failed_with_nobody_to_tell():
    clock = FakeClock()
    done = []
    clock.after(1, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        clock.advance(10)
    clock.after(1, lambda: done.append(1))
    clock.advance(10)
    assert done == [1]


def test_work_that_waits_long_and_is_cancelled_soon_does_not_pile_up():
    clock = FakeClock()
    done = []
    for n in range(100):
        clock.after(SECOND * (n + 1), lambda n=n: done.append(n))
    for _ in range(50_000):
        clock.after(1_000 * SECOND, lambda: done.append("cancelled")).cancel()
    assert len(clock._heap) < 5_000
    clock.advance(2_000 * SECOND)
    assert done == list(range(100))


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=60))
def test_what_is_not_cancelled_happens_whatever_else_is_forgotten(monkeypatched, plan):
    clock = FakeClock()
    done = []
    timers = [clock.after(delay, lambda n=n: done.append(n)) for n, (delay, _) in enumerate(plan)]
    for timer, (_, cancelled) in zip(timers, plan, strict=True):
        if cancelled:
            timer.cancel()
    clock.advance(100)
    kept = [(delay, n) for n, (delay, cancelled) in enumerate(plan) if not cancelled]
    assert done == [n for _, n in sorted(kept)]


@pytest.fixture(scope="module")
def monkeypatched():
    """Forget at once, so that a few timers show what many would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.transport.clock.SPARED", 2)
        yield
