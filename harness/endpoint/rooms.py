"""Which room a REST call is about, and whether its caller may use it.

A malformed name is refused before rights are checked, and rights are checked before anything is looked up, so a refusal
never reveals whether a room exists.
"""

from aiohttp import web

from .bodies import body_schema
from .policies import Policies
from .refusal import Refused
from .tokens import Identity


class RoomNames:
    """Reads the room of a call."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._schema = body_schema("RoomId")

    def is_name(self, text: object) -> bool:
        """Whether a text is a valid room name."""
        return self._schema.is_valid(text)

    def of(self, request: web.Request, identity: Identity) -> str:
        """The room of the path.

        Raises:
            Refused: 400 for an invalid name, 403 if the caller has no right.
        """
        named = request.match_info["roomId"]
        if not self.is_name(named):
            raise Refused(400, "not a name of a room")
        return self.allowed(identity, named)

    def allowed(self, identity: Identity, named: str) -> str:
        """The room that a name refers to, if the caller could join it by WebSocket.

        Raises:
            Refused: 403.
        """
        room = self._policies.room_of(identity, named)
        if not self._policies.may_join(identity, room):
            raise Refused(403, "forbidden")
        return room
