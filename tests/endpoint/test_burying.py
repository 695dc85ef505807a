"""Dead letters that several workers hand to the store at once: each is kept once, and all senders are answered."""

import asyncio
from types import SimpleNamespace

import pytest

from harness.endpoint.pipeline import BATCH, Pipeline
from harness.endpoint.state import DeadLetter, StoreDown


class Store:
    """Takes dead letters, after a moment, while it is up."""

    def __init__(self):
        self.is_up, self.kept = True, []

    async def bury(self, _store, letters):
        await asyncio.sleep(0)
        if not self.is_up:
            raise StoreDown("away")
        self.kept += [letter.id for letter in letters]


def letters(*ids):
    return [DeadLetter(each, None, "why", 4, 0) for each in ids]


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def pipeline(store):
    return Pipeline(SimpleNamespace(store=None, policies=store), 1, 1)


def together(*works):
    async def gathered():
        await asyncio.gather(*works)

    asyncio.run(gathered())


@pytest.mark.parametrize("count", [0, 1, 2, BATCH, BATCH + 1])
def test_what_two_workers_bury_at_once_is_kept_once_each(pipeline, store, count):
    ids = list(range(count))
    together(pipeline.bury(letters(*ids)), pipeline.bury(letters(*(1_000 + each for each in ids))))
    assert sorted(store.kept) == sorted([*ids, *(1_000 + each for each in ids)])


def test_what_the_store_did_not_take_is_kept_in_its_order_until_it_is_back(pipeline, store):
    store.is_up = False
    together(pipeline.bury(letters(1, 2)), pipeline.bury(letters(3)))
    assert store.kept == []
    store.is_up = True
    together(pipeline.bury_waiting(), pipeline.bury_waiting())
    assert sorted(store.kept) == [1, 2, 3]


def test_a_worker_that_is_ended_while_the_store_is_waited_for_loses_no_letter(pipeline, store):
    async def cancelled():
        task = asyncio.create_task(pipeline.bury(letters(1, 2)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await pipeline.bury_waiting()

    asyncio.run(cancelled())
    assert store.kept == [1, 2]
