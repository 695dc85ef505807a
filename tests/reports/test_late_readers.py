"""A session that a fault has slowed down reads late on purpose: that does not make the generator unfit."""

import pytest

from harness.record.row import Kind, Outcome
from tests.fault_numbers import Fault
from tests.reports.test_fitness import busy


@pytest.mark.parametrize(("outcome", "verdict"), [(Outcome.ABANDONED, "unfit"), (Outcome.OK, "fit")])
def test_arrivals_without_a_stamp_count_unless_a_fault_was_injected_into_their_session(make, outcome, verdict):
    run = busy(make()).member(3).row(Kind.FAULT, outcome, session=3, code=Fault.BURST, due=4000, sent=4000)
    for n in range(900):
        run.deliver(3, 0, 5000 + n, 6000 + n, flags=0)
    assert run.report()["fitness"]["verdict"] == verdict
