"""Dead letters for the operator: list them, send one through the pipeline again, delete one.

A replayed event gets its place in the room at the time of the replay, after newer messages, because it never had one.
"""

from aiohttp import web

from .gate import Gate
from .http import answer, whole, whole_number
from .hub import Hub
from .refusal import Refused
from .rest_routes import LIMIT, MAX_LIMIT
from .state import DeadLetter


class DeadLetters:
    """The routes under `/dead-letters`."""

    def __init__(self, hub: Hub, gate: Gate) -> None:
        self._hub = hub
        self._gate = gate

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/dead-letters", self.listing, allow_head=False)
        router.add_delete("/dead-letters/{id}", self.drop)
        router.add_post("/dead-letters/{id}/replay", self.replay)

    async def listing(self, request: web.Request) -> web.Response:
        """`GET /dead-letters`: a page, oldest first."""
        await self._gate.operator(request)
        after, limit = whole(request, "after", 0), whole(request, "limit", LIMIT, least=1, most=MAX_LIMIT)
        letters = await self._hub.store.dead_letters(after, limit)
        return answer({"deadLetters": [listed(letter) for letter in letters]})

    async def drop(self, request: web.Request) -> web.Response:
        """`DELETE /dead-letters/{id}`: delete one for good."""
        await self._taken(request)
        return web.Response(status=204)

    async def replay(self, request: web.Request) -> web.Response:
        """`POST /dead-letters/{id}/replay`: put one into its queue again.

        Raises:
            Refused: 503 when it failed again; it is a dead letter again, under a new id.
        """
        if not await self._hub.replay(await self._taken(request)):
            raise Refused(503, "it died again")
        return web.Response(status=204)

    async def _taken(self, request: web.Request) -> DeadLetter:
        await self._gate.operator(request)
        letter = await self._hub.store.exhume(whole_number("id", request.match_info["id"], 1))
        if letter is None:
            raise Refused(404, "no such dead letter")
        return letter


def listed(letter: DeadLetter) -> dict[str, object]:
    """A dead letter as JSON."""
    event = letter.event
    return {
        "id": letter.id,
        "tenant": event.tenant,
        "roomId": event.room,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "diedAt": letter.at_ms,
        "requestId": event.id,
        "sender": event.sender,
        "text": event.text,
    }
