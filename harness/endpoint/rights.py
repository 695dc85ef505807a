"""Who may do what in which room, by the room's name, the tenant and the roles. Pure.

A room always belongs to the caller's own tenant. The full name `tenant:T:ROOM` can name another tenant's room; it is
refused in the same way whether that tenant or room exists or not.

    admin.*            the role admin
    private.USER[.*]   that user, and the role admin
    ticker.*           anybody may join; only the role publisher may publish, and need not join to do so
"""

from collections.abc import Mapping

from ..errors import UsageError
from .refusal import Refused
from .tokens import ADMIN, PUBLISHER, Identity

ADMIN_ROOMS = "admin."
PRIVATE_ROOMS = "private."
TICKER_ROOMS = "ticker."
FULL_NAME = "tenant:"


def room_of(identity: Identity, named: str) -> str:
    """The room of the caller's tenant that a name refers to.

    Raises:
        Refused: 403, if it belongs to another tenant.
    """
    if not named.startswith(FULL_NAME):
        return named
    tenant, colon, room = named.removeprefix(FULL_NAME).partition(":")
    if not colon or not room or tenant != identity.tenant:
        raise Refused(403, "forbidden")
    return room


def may_join(identity: Identity, room: str) -> bool:
    """Whether an identity may join a room and read it."""
    if ADMIN in identity.roles:
        return True
    if room.startswith(PRIVATE_ROOMS):
        rest = room.removeprefix(PRIVATE_ROOMS)
        return rest == identity.user or rest.startswith(f"{identity.user}.")
    return not room.startswith(ADMIN_ROOMS)


def may_publish(identity: Identity, room: str) -> bool:
    """Whether an identity may publish in a room."""
    if room.startswith(TICKER_ROOMS):
        return PUBLISHER in identity.roles
    return may_join(identity, room)


def needs_membership(room: str) -> bool:
    """Whether only members may publish in a room by WebSocket."""
    return not room.startswith(TICKER_ROOMS)


def read_features(texts: tuple[str, ...], actions: tuple[str, ...]) -> dict[str, str]:
    """`ACTION=FEATURE` texts as a mapping.

    Raises:
        UsageError: a text of another form, or an action that does not exist.
    """
    features = {}
    for text in texts:
        action, equals, feature = text.partition("=")
        if not equals or not feature or action not in actions:
            raise UsageError(f"--require-feature {text}: give ACTION=FEATURE, the action one of {', '.join(actions)}")
        features[action] = feature
    return features


def may_act(identity: Identity, action: str, features: Mapping[str, str]) -> bool:
    """Whether an action needs no feature, or one that this token has."""
    feature = features.get(action)
    return feature is None or feature in identity.features
