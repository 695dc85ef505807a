"""Following a room: nothing twice, nothing missed, whatever the subscription drops."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from harness.endpoint import follow
from harness.endpoint.follow import Follower
from harness.endpoint.subscription import Said, Subscriptions


class Room:
    """A room with real subscriptions; what is to be dropped is not put into them, as if a full queue had dropped it."""

    def __init__(self, said, kept=None):
        self.said = [Said(seq, b"{}") for seq in range(1, said + 1)]
        self.kept = kept  # history holds the newest so many; None: all
        self.subscriptions = Subscriptions()

    def say(self, dropped):
        self.said.append(Said(len(self.said) + 1, b"{}"))
        if not dropped:
            for subscription in self.subscriptions.of("t", "r"):
                subscription.put(self.said[-1])

    def subscribe(self, tenant, room):
        return self.subscriptions.add(tenant, room)

    async def history(self, tenant, room, after, limit):
        kept = self.said if self.kept is None else self.said[len(self.said) - self.kept :]
        return [said for said in kept if said.seq > after][:limit]


@given(
    before=st.integers(0, 12),
    after=st.integers(0, 12),
    steps=st.lists(st.sampled_from(["say", "drop", "read"]), max_size=60),
    page=st.integers(1, 5),
)
def test_every_message_after_the_start_is_read_once_in_order_whatever_is_dropped(before, after, steps, page):
    room, read = Room(before), []
    after = min(after, before)
    follow.PAGE, whole = page, follow.PAGE

    async def run():
        with Follower(room, "t", "r", after) as follower:
            for step in steps:
                if step == "read":
                    read.extend(said.seq for said in await follower.next(0))
                else:
                    room.say(step == "drop")
            room.say(False)
            while said := await follower.next(0):
                read.extend(one.seq for one in said)

    try:
        asyncio.run(run())
    finally:
        follow.PAGE = whole
    assert read == list(range(after + 1, len(room.said) + 1))
    assert not room.subscriptions


def test_what_history_no_longer_holds_is_skipped_and_what_was_heard_is_not():
    room = Room(0, kept=2)

    async def run():
        with Follower(room, "t", "r", 0) as follower:
            assert await follower.next(0) == []
            for dropped in (True, True, True, False, False):
                room.say(dropped)
            return [said.seq for said in await follower.next(0)]

    assert asyncio.run(run()) == [4, 5]


def test_what_history_had_already_ends_no_wait():
    room = Room(2)

    async def run():
        with Follower(room, "t", "r", 0) as follower:
            (live,) = room.subscriptions.of("t", "r")
            for said in room.said:
                live.put(said)
            assert [said.seq for said in await follower.next(0)] == [1, 2]
            asyncio.get_running_loop().call_later(0.01, room.say, False)
            return [said.seq for said in await follower.next(20)]

    assert asyncio.run(run()) == [3]
