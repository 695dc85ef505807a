"""What a process is told survives the way to another process."""

import json
import socket

import pytest

from harness.engine.orders import Orders, unpacked
from harness.errors import PlanError
from harness.plan import build_plan


@pytest.fixture
def orders(tmp_path):
    shape = {"shape": "sine", "amplitude_per_s": 0.5, "period_s": 3.0}
    load = {"sessions": 10, "mix": {"chat": 1, "idle": 1}, "shape": shape}
    plan = build_plan({"endpoint": {"url": "ws://127.0.0.1:1/"}, "load": load})
    return Orders(
        plan=plan, path=tmp_path, nonce="n", start_ns=1 << 62, rank=1, processes=3,
        schemas={"publish": {"type": "object"}}, skipped=frozenset({"half-open", "fin"}),
        addresses=((int(socket.AF_INET), ("127.0.0.1", 1)), (int(socket.AF_INET6), ("::1", 1, 0, 0))),
        patterns=("websocket", "polling"),
    )  # fmt: skip


def test_orders_are_the_same_after_they_were_packed_for_another_process(orders):
    assert unpacked(json.loads(json.dumps(orders.packed()))) == orders


def test_each_process_is_told_its_own_rank_and_otherwise_the_same(orders):
    told = [orders.for_rank(rank) for rank in range(3)]
    assert [each.rank for each in told] == [0, 1, 2]
    assert {each.for_rank(0).start_ns for each in told} == {orders.start_ns}
    assert told[1] == orders


def test_a_plan_that_is_wrong_is_refused_where_it_arrives(orders):
    with pytest.raises(PlanError):
        unpacked(orders.packed() | {"plan": '{"load": {"sessions": -1}}'})
