"""What the Redis store adds: several processes hear one order, ask each other, share buckets and outlive each other."""

import asyncio
import contextlib

import pytest

from harness.endpoint.redis_client import check_redis
from harness.endpoint.redis_store import ALIVE_S, RedisStore
from harness.endpoint.state import Asked, ConnectionRow, Event, StoreDown
from harness.errors import UsageError
from tests.waiting import until_async


def event(room="r1", text="x", tenant="t1"):
    return Event(tenant, room, 0, "m1", "ann", text, 1234, "c1")


def row(connection_id, process):
    return ConnectionRow(connection_id, "k", "ann", "t1", process, 1, 2, 1 << 50, "127.0.0.1", "agent", ("r1",))


@contextlib.asynccontextmanager
async def process(address, name, answer=lambda asked: b""):
    """A store as one process has it, and what it heard."""
    store, heard = RedisStore(address, 100, name), []

    async def hear(events):
        heard.extend(events)

    await store.open(hear, answer)
    try:
        yield store, heard
    finally:
        await store.close()


def test_all_processes_hear_the_same_events_in_the_same_order(redis):
    async def main():
        address = redis.fresh()
        async with process(address, "a") as (a, heard_a), process(address, "b") as (b, heard_b):

            async def say(store, name):
                for number in range(50):
                    await store.append([event(text=f"{name}{number}")], f"{name}{number}")

            await asyncio.gather(say(a, "a"), say(b, "b"))
            await a.settle()
            await b.settle()
            assert heard_a == heard_b and [each.seq for each in heard_a] == list(range(1, 101))

    asyncio.run(main())


def test_after_settling_everything_that_was_accepted_before_has_been_heard(redis):
    async def main():
        address = redis.fresh()
        async with process(address, "a") as (a, _), process(address, "b") as (b, heard):
            for number in range(20):
                await a.append([event()], str(number))
                await b.settle()
                assert len(heard) == number + 1

    asyncio.run(main())


def test_the_same_batch_sent_twice_is_kept_and_heard_once(redis):
    async def main():
        async with process(redis.fresh(), "a") as (store, heard):
            assert await store.append([event(), event("r2")], "b") == [1, 1]
            assert await store.append([event(), event("r2")], "b") == [1, 1]
            await store.settle()
            assert len(heard) == 2 and await store.last("t1", "r1") == 1

    asyncio.run(main())


def test_rooms_of_tenants_whose_names_run_together_stay_apart(redis):
    async def main():
        async with process(redis.fresh(), "a") as (store, _):
            await store.append([event("b:c", "one", tenant="a"), event("c", "two", tenant="a:b")], "b")
            assert [each.text for each in await store.history("a", "b:c", 0, 9)] == ["one"]
            assert [each.text for each in await store.history("a:b", "c", 0, 9)] == ["two"]

    asyncio.run(main())


def test_a_question_goes_to_whoever_holds_the_connection(redis):
    async def main():
        address = redis.fresh()
        asked_of = []

        def answer(asked):
            asked_of.append(asked)
            return b"ok" if asked.connection_id in ("c9", "new") else b""

        async with process(address, "a") as (a, _), process(address, "b", answer) as (b, _), process(address, "c"):
            await b.put([row("c9", "b")])
            assert await a.ask(Asked("push", "c9", b"hello")) == b"ok"
            assert asked_of == [Asked("push", "c9", b"hello")]
            assert await a.ask(Asked("push", "new", b"hello")) == b"ok"  # its row is not written yet
            assert await a.ask(Asked("push", "nobody", b"hello")) == b""
            assert [each.connection_id for each in await a.others()] == ["c9"] and await b.others() == []

    asyncio.run(main())


def test_what_a_process_that_died_left_is_swept_and_one_that_only_slept_puts_its_rows_again(redis):
    async def main():
        address = redis.fresh()
        async with process(address, "a") as (a, _), process(address, "dead") as (dead, _):
            await dead.put([row("c9", "dead")])
            assert len(await a.others()) == 1
            assert await dead.beat(0) is False
            await a._redis.delete("squall:process:dead")  # as if its time had run out: it has not beaten for ALIVE_S
            assert await a.others() == []
            await a.beat(0)
            assert await a._redis.exists("squall:connections:dead") == 0
            assert await dead.beat(0) is True
            assert 0 < await a._redis.ttl("squall:process:dead") <= ALIVE_S

    asyncio.run(main())


def test_processes_together_get_no_more_tokens_than_the_bucket_has(redis):
    async def main():
        address = redis.fresh()
        async with process(address, "a") as (a, _), process(address, "b") as (b, _):
            got = [await store.lease("t", 0.001, 10, 0, kept, 6) for store, kept in ((a, 0), (b, 0), (a, 6), (b, 4))]
            assert got == [6, 4, 0, 0]
            assert await a.lease("t", 0.001, 10, 5, 1, 2) == 2  # five came back, two of them went out again
            assert await b.lease("t", 0.001, 10, 0, 4, 9) == 3

    asyncio.run(main())


def test_tokens_that_are_held_are_not_refilled(redis):
    async def main():
        address = redis.fresh()
        async with process(address, "a") as (a, _), process(address, "b") as (b, _):
            assert await a.lease("t", 1e6, 10, 0, 0, 10) == 10
            await asyncio.sleep(0.01)
            assert await b.lease("t", 1e6, 10, 0, 0, 10) == 0
            assert await a.lease("t", 1e6, 10, 0, 3, 0) == 0  # seven are spent
            await asyncio.sleep(0.01)
            assert await b.lease("t", 1e6, 10, 0, 0, 10) == 7

    asyncio.run(main())


def test_what_was_said_while_the_listening_connection_was_broken_is_heard_afterwards(redis):
    async def main():
        address = redis.fresh()
        async with process(address, "a") as (a, heard), process(address, "b") as (b, _):
            await a.append([event(text="before")], "1")
            await a.settle()
            for client in await b._redis.client_list(_type="normal"):
                if client["cmd"] == "xread":
                    await b._redis.client_kill_filter(_id=client["id"])
            await b.append([event(text="meanwhile")], "2")
            await until_async(lambda: len(heard) == 2)
            assert [each.text for each in heard] == ["before", "meanwhile"]

    asyncio.run(main())


def test_an_address_where_no_redis_answers_is_one_line_without_the_password():
    with pytest.raises(UsageError, match=r"cannot use the store redis://127\.0\.0\.1:1/0: ") as caught:
        check_redis("redis://ann:hidden@127.0.0.1:1/0")
    assert "hidden" not in str(caught.value)


def test_a_redis_that_is_gone_is_a_failing_store_not_an_exception_of_its_own(tmp_path):
    async def main():
        store = RedisStore("redis://127.0.0.1:1/0", 100, "a")
        with pytest.raises(StoreDown):
            await store.append([event()], "b")
        assert store.failure.startswith("Redis: ")
        await store.close()

    asyncio.run(main())
