"""Clients that pay for another's act: cut by its malformed payload, or held up because it does not read."""

import pytest

from harness.record.row import Closer

STALL, SLOW, RESET = 5, 8, 3


def cut(make, *, delay, probes=(5000,), sessions=(1, 2, 3), closer=Closer.RESET, code=104):
    run = make().member(0, 1, 2, 3).chatter()
    for seq, at in enumerate(probes, 100):
        run.probe(0, seq, at)
    for session in sessions:
        run.close(session, probes[-1] + delay, closer=closer, code=code)
    return run.report()


@pytest.mark.parametrize(("delay", "found"), [(1, 3), (20, 3), (900, 0)])
def test_connections_that_end_at_once_after_a_malformed_payload_of_another(make, delay, found):
    report = cut(make, delay=delay)  # 900 ms after the only payload in 30 s may be chance
    assert report["finding_counts"]["bystanders-cut"] == found
    assert report["finding_counts"]["unexpected-close"] == 3 - found


def test_the_sender_itself_is_no_bystander(make):
    report = cut(make, delay=1, sessions=(0,))
    assert report["finding_counts"]["bystanders-cut"] == 0
    assert report["finding_counts"]["unexpected-close"] == 0


def test_ends_before_any_malformed_payload_have_other_reasons(make):
    report = cut(make, delay=-1)
    assert (report["finding_counts"]["bystanders-cut"], report["finding_counts"]["unexpected-close"]) == (0, 3)


def test_where_payloads_are_sent_all_the_time_one_end_proves_nothing(make):
    report = cut(make, delay=40, probes=range(1000, 30_000, 100), sessions=(1,))
    assert report["finding_counts"]["bystanders-cut"] == 0


def test_without_malformed_payloads_it_is_not_judged(make):
    report = make().member(0, 1).chatter((0, 1)).close(1, 9000, closer=Closer.RESET, code=104).report()
    assert report["finding_counts"]["bystanders-cut"] is None


def slowed(make, late_ms, *, fault=STALL, lift=None, before=30, during=10, late_before=0):
    """Sessions 0 and 1 talk; session 3 stops reading at 10 s, from when on deliveries take `late_ms`."""
    run = make().member(0, 1, 3)
    for seq in range(1, before + 1):
        at = 2000 + seq * 200
        took = 1500 if seq <= late_before else 5
        run.publish(0, seq, at).deliver(1, 0, seq, at + took)
    run.fault(3, fault, 10_000)
    if lift:
        run.lift(3, fault, lift)
    for seq in range(before + 1, before + during + 1):
        at = 10_500 + (seq - before) * 200
        run.publish(0, seq, at).deliver(1, 0, seq, at + late_ms)
    return run.report()


@pytest.mark.parametrize(("late_ms", "found"), [(5, 0), (999, 0), (1000, 0), (1001, 10), (6000, 10)])
def test_deliveries_that_take_more_than_a_second_while_a_client_stalls(make, late_ms, found):
    report = slowed(make, late_ms)
    assert report["finding_counts"]["held-up"] == found
    assert report["held_up"]["not_reading"] == 1
    assert report["held_up"]["longest_ms"] == (late_ms if found else None)


def test_a_fault_that_closes_the_connection_holds_nobody_up(make):
    report = slowed(make, 6000, fault=RESET)
    assert report["held_up"] is None
    assert report["finding_counts"]["held-up"] is None


def test_what_is_late_at_other_times_too_is_not_the_client_s_doing(make):
    assert slowed(make, 6000, late_before=6)["finding_counts"]["held-up"] == 0


def test_after_the_lift_every_client_reads(make):
    report = slowed(make, 6000, lift=10_400)
    assert report["held_up"]["deliveries"] == 0
    assert report["finding_counts"]["held-up"] is None


@pytest.mark.parametrize(("before", "judged"), [(0, False), (19, False), (20, True)])
def test_without_deliveries_to_compare_with_it_is_not_judged(make, before, judged):
    assert (slowed(make, 6000, before=before)["finding_counts"]["held-up"] is not None) is judged
