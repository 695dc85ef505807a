"""Defects of rights: checked once, checked in part, or not at all."""

import math
from collections.abc import Collection
from random import Random
from typing import TYPE_CHECKING

import jwt

from ..authorizer import Handshake
from ..connection import Connection
from ..policies import Policies
from ..refusal import Refused
from ..rights import FULL_NAME
from ..state import Event
from ..tokens import Identity, identity_of
from .registry import defect

if TYPE_CHECKING:
    from ..hub import Hub


@defect("expired-accepted", "accepts an expired token")
def expired_accepted(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Check the signature, not the expiry."""

    async def authorize(handshake: Handshake) -> Identity:
        try:
            return await policies.authorize(handshake)
        except Refused as refused:
            if refused.message != "the token has expired" or handshake.token is None:
                raise
            # It was refused only because it had expired, so its signature is valid.
            identity = identity_of(jwt.decode(handshake.token, options={"verify_signature": False}))
            return identity._replace(expires=math.inf)

    return policies._replace(authorize=authorize)


@defect("token-outlived", "goes on serving a connection whose token has expired")
def token_outlived(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Check the token on connecting, and never again."""
    return policies._replace(outlived=lambda _hub, _connection: None)


@defect("tenant-once", "checks the tenant only at connect: another tenant's room can be joined by its full name")
def tenant_once(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Accept the full name of another tenant's room."""

    def room_of(identity: Identity, named: str) -> str:
        try:
            return policies.room_of(identity, named)
        except Refused:
            return named

    def recipients(hub: "Hub", event: Event) -> Collection[Connection]:
        full = f"{FULL_NAME}{event.tenant}:{event.room}"
        intruders = [one for tenant, room in tuple(hub.rooms()) if room == full for one in hub.members(tenant, room)]
        return [*policies.recipients(hub, event), *intruders]

    return policies._replace(room_of=room_of, recipients=recipients)


@defect("join-open", "lets everybody join every room of the tenant, including admin and private rooms")
def join_open(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Let everybody join."""
    return policies._replace(may_join=lambda _identity, _room: True)
