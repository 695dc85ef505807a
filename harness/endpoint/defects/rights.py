"""Wrong about who may do what: checked once, checked by halves, or not at all."""

from collections.abc import Collection
from random import Random
from typing import TYPE_CHECKING

import jwt

from ..authorizer import Handshake
from ..connection import Connection
from ..parts import Parts
from ..refusal import Refused
from ..rights import FULL_NAME
from ..state import Event
from ..tokens import Identity, identity_of
from .registry import defect

if TYPE_CHECKING:
    from ..hub import Hub


@defect("expired-accepted", "accepts an expired token")
def expired_accepted(parts: Parts, _value: float, _chance: Random) -> Parts:
    """Check the signature, not the time."""

    async def authorize(handshake: Handshake) -> Identity:
        try:
            return await parts.authorize(handshake)
        except Refused as refused:
            if refused.message != "the token has expired" or handshake.token is None:
                raise
            # It was refused for its time only, so its signature is right.
            return identity_of(jwt.decode(handshake.token, options={"verify_signature": False}))

    return parts._replace(authorize=authorize)


@defect("tenant-once", "checks the tenant only at connect: another tenant's room can be joined by its full name")
def tenant_once(parts: Parts, _value: float, _chance: Random) -> Parts:
    """Believe the full name."""

    def room_of(identity: Identity, named: str) -> str:
        try:
            return parts.room_of(identity, named)
        except Refused:
            return named

    def recipients(hub: "Hub", event: Event) -> Collection[Connection]:
        full = f"{FULL_NAME}{event.tenant}:{event.room}"
        intruders = [one for tenant, room in tuple(hub.rooms()) if room == full for one in hub.members(tenant, room)]
        return [*parts.recipients(hub, event), *intruders]

    return parts._replace(room_of=room_of, recipients=recipients)


@defect("join-open", "lets everybody join every room of the tenant, including admin and private rooms")
def join_open(parts: Parts, _value: float, _chance: Random) -> Parts:
    """Do not ask."""
    return parts._replace(may_join=lambda _identity, _room: True)
