"""Defects of deliveries: who gets a message, how often, in what order, when, and who has to wait for whom."""

import asyncio
from collections.abc import Callable, Collection
from random import Random
from typing import TYPE_CHECKING

import msgspec

from ..connection import Connection
from ..policies import Policies
from ..refusal import Refused
from ..state import Event
from .registry import defect

if TYPE_CHECKING:
    from ..envelope import Request
    from ..hub import Hub

HELD_S = 1.5
"""How long a message that is to be late waits for its sender's next one."""
STEP_S = 0.02
TRIES = 20


@defect("lose", "loses this share of deliveries", default=0.01)
def lose(policies: Policies, share: float, chance: Random) -> Policies:
    """Skip some deliveries."""

    def deliver(connection: Connection, frame: bytes) -> None:
        if chance.random() >= share:
            policies.deliver(connection, frame)

    return policies._replace(deliver=deliver)


@defect("duplicate", "makes this share of deliveries twice", default=0.01)
def duplicate(policies: Policies, share: float, chance: Random) -> Policies:
    """Repeat some deliveries."""

    def deliver(connection: Connection, frame: bytes) -> None:
        policies.deliver(connection, frame)
        if chance.random() < share:
            policies.deliver(connection, frame)

    return policies._replace(deliver=deliver)


@defect("reorder", "delivers this share of messages after the next one of the same sender", default=0.01)
def reorder(policies: Policies, share: float, chance: Random) -> Policies:
    """Hold some messages back until after their sender's next one."""
    held: dict[tuple[str, str, str], Event] = {}

    async def hand_on(hub: "Hub", event: Event) -> None:
        who = event.tenant, event.room, event.sender
        before = held.pop(who, None)
        if before is None and chance.random() < share:
            held[who] = event
            asyncio.get_running_loop().call_later(HELD_S, lambda: hub.later(asyncio.create_task(let_go(hub, event))))
            return
        await policies.hand_on(hub, event)
        if before is not None:
            await policies.hand_on(hub, before)

    async def let_go(hub: "Hub", event: Event) -> None:
        if held.get((event.tenant, event.room, event.sender)) is event:
            del held[event.tenant, event.room, event.sender]
            await policies.hand_on(hub, event)

    return policies._replace(hand_on=hand_on)


@defect("disorder", "makes this share of deliveries after the receiver's next one of another sender", default=0.01)
def disorder(policies: Policies, share: float, chance: Random) -> Policies:
    """Hold some deliveries back, so that receivers hear a room in different orders and each sender in its own."""
    held: dict[tuple[str, str], tuple[bytes, str]] = {}

    def deliver(connection: Connection, frame: bytes) -> None:
        message = msgspec.json.decode(_payload(frame))
        where, sender = (connection.id, message["roomId"]), message["payload"]["sender"]
        before = held.pop(where, None)
        if before is not None and before[1] == sender:
            policies.deliver(connection, before[0])
            before = None
        if before is None and chance.random() < share:
            held[where] = frame, sender
            asyncio.get_running_loop().call_later(HELD_S, let_go, connection, where, frame)
            return
        policies.deliver(connection, frame)
        if before is not None:
            policies.deliver(connection, before[0])

    def let_go(connection: Connection, where: tuple[str, str], frame: bytes) -> None:
        if held.get(where, (b"", ""))[0] is frame:
            del held[where]
            policies.deliver(connection, frame)

    return policies._replace(deliver=deliver)


def _payload(frame: bytes) -> bytes:
    """What is in an unmasked WebSocket frame (RFC 6455 5.2)."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


@defect("delay", "makes every delivery late, by this many ms", default=200, limits=(1, 60_000))
def delay(policies: Policies, delay_ms: float, _chance: Random) -> Policies:
    """Wait before each delivery."""

    def deliver(connection: Connection, frame: bytes) -> None:
        asyncio.get_running_loop().call_later(delay_ms / 1000, policies.deliver, connection, frame)

    return policies._replace(deliver=deliver)


@defect("leak-room", "delivers this share of messages to somebody outside the room as well", default=0.01)
def leak_room(policies: Policies, share: float, chance: Random) -> Policies:
    """Add a recipient of the same tenant that is not in the room."""
    return _leaking(policies, share, chance, lambda event, who: who.identity.tenant == event.tenant)


@defect("leak-tenant", "delivers this share of messages to somebody of another tenant as well", default=0.01)
def leak_tenant(policies: Policies, share: float, chance: Random) -> Policies:
    """Add a recipient of another tenant."""
    return _leaking(policies, share, chance, lambda event, who: who.identity.tenant != event.tenant)


def _leaking(
    policies: Policies, share: float, chance: Random, eligible: Callable[[Event, Connection], bool]
) -> Policies:
    def recipients(hub: "Hub", event: Event) -> Collection[Connection]:
        honest = policies.recipients(hub, event)
        if chance.random() >= share:
            return honest
        everybody = list(hub.connections.values())
        for _ in range(min(TRIES, len(everybody))):
            stranger = chance.choice(everybody)
            if stranger not in honest and eligible(event, stranger):
                return [*honest, stranger]
        return honest

    return policies._replace(recipients=recipients)


@defect("alter", "delivers this share of messages with their text cut in half", default=0.01)
def alter(policies: Policies, share: float, chance: Random) -> Policies:
    """Cut some texts short."""

    async def hand_on(hub: "Hub", event: Event) -> None:
        if chance.random() < share:
            event = event._replace(text=event.text[: len(event.text) // 2])
        await policies.hand_on(hub, event)

    return policies._replace(hand_on=hand_on)


@defect("impersonate", "delivers this share of messages under the name of the previous sender", default=0.01)
def impersonate(policies: Policies, share: float, chance: Random) -> Policies:
    """Name another sender."""
    before: dict[str, str] = {}

    async def hand_on(hub: "Hub", event: Event) -> None:
        sender = event.sender
        if chance.random() < share:
            event = event._replace(sender=before.get(event.tenant, sender))
        before[event.tenant] = sender
        await policies.hand_on(hub, event)

    return policies._replace(hand_on=hand_on)


@defect("ghost", "delivers messages that nobody sent, one for this share of the real ones", default=0.01)
def ghost(policies: Policies, share: float, chance: Random) -> Policies:
    """Repeat some messages under an id that no client used."""

    async def hand_on(hub: "Hub", event: Event) -> None:
        await policies.hand_on(hub, event)
        if chance.random() < share:
            await policies.hand_on(hub, event._replace(id=f"{event.id}00000"))

    return policies._replace(hand_on=hand_on)


@defect("poisoned-room", "stops delivering to a room after a malformed message was sent to it")
def poisoned_room(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Stop the room's worker after a malformed payload."""
    poisoned: set[str] = set()

    def read(payload: bytes) -> "Request":
        try:
            return policies.read(payload)
        except Refused as refused:
            if refused.room is not None:
                poisoned.add(refused.room)
            raise

    def recipients(hub: "Hub", event: Event) -> Collection[Connection]:
        return () if event.room in poisoned else policies.recipients(hub, event)

    return policies._replace(read=read, recipients=recipients)


@defect("slow-consumer-blocks", "makes a room wait, at most this many seconds, for a slow reader", default=10,
        limits=(0.1, 600))  # fmt: skip
def slow_consumer_blocks(policies: Policies, most_s: float, _chance: Random) -> Policies:
    """Wait for every member's empty buffer before the room's next message."""

    async def hand_on(hub: "Hub", event: Event) -> None:
        await policies.hand_on(hub, event)
        ends_s = asyncio.get_running_loop().time() + most_s
        for member in tuple(policies.recipients(hub, event)):
            while not member.gone and member.unsent_bytes and asyncio.get_running_loop().time() < ends_s:
                await asyncio.sleep(STEP_S)

    return policies._replace(hand_on=hand_on)


@defect("giant-room-starves", "makes every other room wait while it writes to a giant room")
def giant_room_starves(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Use one queue for all rooms and no slices."""
    return policies._replace(shard=lambda _event, _shards: 0, slice=1 << 30)
