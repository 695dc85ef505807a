"""The time line of one process, without anybody who would come for its sessions."""

import numpy as np
import pytest

from harness.engine.generator import Generator
from harness.engine.orders import Orders
from harness.plan import build_plan
from harness.record.row import DTYPE, ROW_BYTES, Kind, Outcome
from harness.transport.clock import Clock
from harness.units import SECOND


@pytest.fixture
def generator(tmp_path):
    made = []

    def make(started_s, **load):
        plan = build_plan({"endpoint": {"url": "ws://127.0.0.1:1/"}, "load": {"rooms": 1, "duration_s": 9e4} | load})
        made.append(
            Generator(
                Orders(
                    plan=plan, path=tmp_path, nonce="n", start_ns=Clock.now() - round(started_s * SECOND), schemas={}
                )
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.clock.close()


def rows_of(path):
    (shard,) = path.glob("shard-*")
    return np.fromfile(shard, np.dtype(DTYPE), offset=ROW_BYTES)


def test_sessions_that_no_user_came_for_are_openings_that_we_did_not_get_to(generator, tmp_path):
    absent = generator(2500.0, sessions=4, ramp_s=4000.0)  # due after 0, 1000, 2000 and 3000 s
    absent.interrupt()
    absent.close()
    rows = rows_of(tmp_path)
    opened = rows[rows["kind"] == Kind.OPEN]
    assert opened["session"].tolist() == [0, 1, 2]
    assert set(opened["outcome"]) == {Outcome.ABANDONED}
    assert set(opened["arrived"]) == set(opened["sent"]) == {0}
    assert (np.diff(opened["due"].astype(np.int64)) == 1000 * SECOND).all()
