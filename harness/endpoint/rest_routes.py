"""Rooms over plain HTTP: create, list, post a message, read the history, wait for new messages (long poll).

A room exists only for the tenant of the token, and a room that nobody has used is an empty one, so no answer reveals
whether another tenant has a room of that name.
"""

from aiohttp import hdrs, web

from .bodies import body_schema
from .envelope import VERSION, Request
from .follow import Follower
from .gate import Gate
from .http import answer, read_body, seconds, whole
from .hub import Hub
from .refusal import Refused
from .rooms import RoomNames
from .state import Room
from .subscription import Said

MAX_WAIT_S = 30.0
MAX_LIMIT = 1000
LIMIT = 100


class RestRoutes:
    """The routes of members."""

    def __init__(self, hub: Hub, gate: Gate, names: RoomNames) -> None:
        self._hub = hub
        self._gate = gate
        self._names = names
        self._new_room = body_schema("NewRoom")
        self._new_message = body_schema("NewMessage")

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/rooms", self.listing, allow_head=False)
        router.add_post("/rooms", self.create)
        router.add_get("/rooms/{roomId}/messages", self.history, allow_head=False)
        router.add_post("/rooms/{roomId}/messages", self.post)

    async def listing(self, request: web.Request) -> web.Response:
        """`GET /rooms`: the rooms that the caller may join, by name."""
        identity = await self._gate.member(request)
        limit = whole(request, "limit", LIMIT, least=1, most=MAX_LIMIT)
        after = request.query.get("after", "")
        if "after" in request.query and not self._names.is_name(after):
            raise Refused(400, "after is not a name of a room")
        hub, rooms = self._hub, list[Room]()
        while len(rooms) < limit:
            page = await hub.store.rooms(identity.tenant, after, limit)
            rooms += [room for room in page if hub.policies.may_join(identity, room.room)]
            if len(page) < limit:
                break
            after = page[-1].room
        members = await hub.member_counts(identity.tenant)
        return answer({"rooms": [listed(room, members.get(room.room, 0)) for room in rooms[:limit]]})

    async def create(self, request: web.Request) -> web.Response:
        """`POST /rooms`: 201 for a new room, 200 for one that existed."""
        identity = await self._gate.member(request)
        body = await read_body(request, self._new_room)
        tenant, name = identity.tenant, self._names.allowed(identity, body["roomId"])
        created = await self._hub.store.create_room(tenant, name, identity.user)
        room = await self._hub.store.room(tenant, name) or Room(name, identity.user, 0)
        members = await self._hub.member_counts(tenant)
        response = answer(listed(room, members.get(name, 0)), 201 if created else 200)
        if created:
            response.headers[hdrs.LOCATION] = f"/rooms/{name}/messages"
        return response

    async def post(self, request: web.Request) -> web.Response:
        """`POST /rooms/{roomId}/messages`: publish a message."""
        identity = await self._gate.member(request)
        room = self._names.of(request, identity)
        body = await read_body(request, self._new_message)
        event = await self._hub.post(identity, Request("sendMessage", body["requestId"], room, body["payload"]["text"]))
        return answer(
            {
                "version": VERSION,
                "requestId": event.id,
                "roomId": event.room,
                "seq": event.seq,
                "timestamp": event.timestamp_ms,
            },
            201,
        )

    async def history(self, request: web.Request) -> web.Response:
        """`GET /rooms/{roomId}/messages`: a page of messages; `wait` waits for the first one."""
        identity = await self._gate.member(request)
        room = self._names.of(request, identity)
        after, limit = whole(request, "after", 0), whole(request, "limit", LIMIT, most=MAX_LIMIT)
        wait_s = seconds(request, "wait", MAX_WAIT_S)
        page: list[Said] = []
        if limit and wait_s:
            with Follower(self._hub, identity.tenant, room, after) as follower:
                page = await follower.next(wait_s)
        elif limit:
            page = await self._hub.history(identity.tenant, room, after, limit)
        page = page[:limit]
        last = max(await self._hub.store.last(identity.tenant, room), page[-1].seq if page else 0)
        return web.Response(body=history_body(page, last), content_type="application/json")


def listed(room: Room, members: int) -> dict[str, object]:
    """A room as JSON."""
    return {"roomId": room.room, "members": members, "last": room.last}


def history_body(page: list[Said], last: int) -> bytes:
    """The answer, made of frames that are JSON already.

    >>> history_body([Said(7, b'{"seq":7}')], 9)
    b'{"messages":[{"seq":7}],"last":9}'
    """
    return b'{"messages":[%s],"last":%d}' % (b",".join(said.frame for said in page), last)
