"""A small share of what `make fuzz` plays: 100,000 random server streams, each of which must end in a record."""

from harness.record.row import Kind, Outcome
from tests.transport.fuzzing import fuzz


def test_random_server_streams_all_end_in_a_record_and_leave_nothing_behind():
    kinds = fuzz(1_500, seed=7)
    opens = {outcome: count for (kind, outcome), count in kinds.items() if kind is Kind.OPEN}
    assert sum(opens.values()) == 1_500
    # It is only worth something if streams end in every way.
    assert set(opens) >= {Outcome.OK, Outcome.REJECTED, Outcome.CLOSED, Outcome.EXPIRED, Outcome.GARBLED}
    assert kinds[Kind.CLOSE, Outcome.OK] and kinds[Kind.CLOSE, Outcome.CLOSED]
    assert kinds[Kind.KEEPALIVE, Outcome.OK] and kinds[Kind.KEEPALIVE, Outcome.EXPIRED]
    assert kinds[Kind.DELIVERY, Outcome.OK] and kinds[Kind.STRAY, Outcome.GARBLED]
