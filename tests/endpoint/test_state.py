"""What every store promises, asked of each kind: places in order, nothing twice, history, rows, dead letters."""

import asyncio
import sqlite3

import msgspec
import pytest

from harness.endpoint.redis_store import RedisStore
from harness.endpoint.sqlite_store import SqliteStore
from harness.endpoint.state import ConnectionRow, DeadLetter, Event, Room, StoreDown
from harness.errors import UsageError


def event(room="r1", text="x", tenant="t1", id="m1"):
    return Event(tenant, room, 0, id, "ann", text, 1234, "c1")


def row(connection_id, expires_ms=1 << 50, rooms=()):
    return ConnectionRow(connection_id, "k", "ann", "t1", "p1", 1, 2, expires_ms, "127.0.0.1", "agent", rooms)


async def heard(_events):
    """Nobody listens."""


@pytest.fixture(params=["memory", "file", "redis"])
def using(request, tmp_path):
    """`using(work)` runs `await work(store)` with an open store of each kind."""
    address = request.getfixturevalue("redis").fresh() if request.param == "redis" else ""

    def make():
        if request.param == "redis":
            return RedisStore(address, 100, "p1")
        return SqliteStore(":memory:" if request.param == "memory" else str(tmp_path / "store.db"), history=100)

    def run(work):
        async def main():
            store = make()
            await store.open(heard, lambda asked: b"")
            try:
                await work(store)
            finally:
                await store.close()

        asyncio.run(main())

    return run


def test_events_get_places_from_1_in_each_room_of_each_tenant(using):
    async def work(store):
        batch = [event("a"), event("b"), event("a"), event("a", tenant="t2")]
        assert await store.append(batch, "b1") == [1, 1, 2, 1]
        assert await store.append([event("a"), event("b")], "b2") == [3, 2]
        assert await store.last("t1", "a") == 3 and await store.last("t1", "nowhere") == 0

    using(work)


def test_history_gives_the_oldest_after_a_place_and_is_bounded(using):
    async def work(store):
        for number in range(300):
            await store.append([event(text=f"m{number}")], f"b{number}")
        page = await store.history("t1", "r1", 250, 10)
        assert [(each.seq, each.text) for each in page] == [(n + 1, f"m{n}") for n in range(250, 260)]
        assert page[0]._replace(seq=0, text="x") == event()
        kept = await store.history("t1", "r1", 0, 1000)
        assert 100 <= len(kept) <= 200 and kept[-1].seq == 300
        assert await store.history("t2", "r1", 0, 10) == []

    using(work)


def test_a_room_is_made_once_and_listed_by_name_in_pages(using):
    async def work(store):
        assert await store.create_room("t1", "blue", "ann") is True
        assert await store.create_room("t1", "blue", "bob") is False
        assert await store.create_room("t2", "other", "eve") is True
        await store.append([event("red")], "b1")
        assert await store.rooms("t1", "", 10) == [Room("blue", "ann", 0), Room("red", "", 1)]
        assert await store.rooms("t1", "blue", 10) == [Room("red", "", 1)]
        assert await store.rooms("t1", "", 1) == [Room("blue", "ann", 0)]
        assert await store.room("t1", "other") is None

    using(work)


def test_dead_letters_come_back_whole_and_only_one_gets_each(using):
    async def work(store):
        await store.bury([DeadLetter(0, event(), "because", 4, 99), DeadLetter(0, event("b"), "so", 1, 100, True)])
        first, second = await store.dead_letters(0, 10)
        assert first == DeadLetter(first.id, event(), "because", 4, 99) and second.enriching
        assert await store.dead_letters(first.id, 10) == [second]
        assert await store.exhume(first.id) == first
        assert await store.exhume(first.id) is None
        assert await store.dead_letters(0, 10) == [second]

    using(work)


def test_rows_that_have_expired_are_cleared_by_a_beat(using):
    async def work(store):
        assert await seen(store) == {}
        await store.put([row("old", 1000), row("young", 3000, ("a", "b"))])
        await store.put([row("old", 1500)])
        await store.beat(2000)
        assert await seen(store) == {"young": ("a", "b")}
        await store.put([row("young", 3000, ("b",))])
        assert await seen(store) == {"young": ("b",)}
        await store.drop(["young"])
        assert await seen(store) == {}

    using(work)


async def seen(store):
    """The rooms of each connection that stands in the store."""
    if isinstance(store, RedisStore):
        rows = [msgspec.msgpack.decode(row, type=ConnectionRow) for row in await store._redis.hvals(store._rows)]
        return {row.connection_id: row.rooms for row in rows}
    rows = store._database.execute("SELECT connection_id, rooms FROM connections").fetchall()
    return {connection_id: tuple(rooms.split()) for connection_id, rooms in rows}


def test_what_enrichment_found_is_kept_beside_the_event(using):
    async def work(store):
        (seq,) = await store.append([event()], "b1")
        assert await store.enriched("t1", "r1", seq) is None
        await store.enrich(event()._replace(seq=seq), b'{"words":1}')
        assert await store.enriched("t1", "r1", seq) == b'{"words":1}'

    using(work)


def test_a_file_keeps_rooms_and_history_over_a_restart_but_no_connections(tmp_path):
    async def first():
        store = SqliteStore(str(tmp_path / "s.db"), history=100)
        await store.put([row("c1")])
        await store.append([event()], "b1")
        await store.close()

    async def second():
        store = SqliteStore(str(tmp_path / "s.db"), history=100)
        assert (await store.append([event()], "b2"), await seen(store)) == ([2], {})
        await store.close()

    asyncio.run(first())
    asyncio.run(second())


def test_a_file_that_is_locked_in_the_middle_fails_and_works_again_when_it_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.endpoint.sqlite_store.LOCKED_S", 0.05)

    async def main():
        store = SqliteStore(str(tmp_path / "s.db"), history=100)
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreDown, match="locked"):
            await store.append([event()], "b1")
        assert "locked" in store.failure
        other.execute("ROLLBACK")
        other.close()
        assert await store.append([event()], "b1") == [1] and store.failure == ""
        await store.close()

    asyncio.run(main())


def corrupt(path):
    path.write_bytes(b"no database, but rather long " * 100)


def foreign(path):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE connections (something TEXT)")
    database.close()


@pytest.mark.parametrize(
    "damage", [corrupt, foreign, lambda path: path.mkdir()], ids=["corrupt", "foreign", "directory"]
)
def test_a_file_that_is_no_store_of_ours_is_one_line(tmp_path, damage):
    damage(tmp_path / "s.db")
    with pytest.raises(UsageError, match=r"cannot (use|open) the store .*s\.db: "):
        SqliteStore(str(tmp_path / "s.db"), history=100)
