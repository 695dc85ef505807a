"""`[endpoint.rest]`: the endpoint's REST side: where commands are posted and messages polled.

For the patterns `polling` and `hybrid`. The defaults are the reference endpoint's routes; the same keys describe those
of other endpoints.
"""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from ..errors import PlanError
from ..placeholders import check, names
from .masking import mask_url
from .section import Count, Positive, Section, Template

Wait = Annotated[float, Meta(ge=0, le=300)]


class Rest(Section, frozen=True, kw_only=True):
    """Where to post and poll, and how often.

    `url` is `http://host:port` with a path before the routes if need be; "" is the endpoint's own origin. `publish`
    and `poll` are targets; they may hold {room}, and `poll` {after}, {limit} and {wait}. `messages` leads to the list
    in a poll's answer, `last` to the number (or any token) that the next poll's {after} is, `number` to the same in
    one message; `confirms` to the message's id in the answer to a post ("": it has none). `body` is the template of
    a post; absent: the reference endpoint's, or `[endpoint.json] publish`. `code` leads to the code of a refused post
    ("" or nothing there: it is the status), `reason` to its text.
    """

    url: str = ""
    mode: Literal["long", "interval"] = "long"
    every_s: Positive = 1.0
    wait_s: Wait = 20.0
    limit: Count = 100
    resume: bool = True
    publish: str = "/rooms/{room}/messages"
    poll: str = "/rooms/{room}/messages?after={after}&limit={limit}&wait={wait}"
    body: Template | None = None
    messages: str = "messages"
    last: str = "last"
    number: str = "seq"
    confirms: str = "requestId"
    reason: str = "message"
    code: str = ""

    def __post_init__(self) -> None:
        if self.url:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
                raise PlanError(
                    f'endpoint.rest.url: "{mask_url(self.url)}" is not the base of a REST interface; '
                    'write http://host:port, with a path if there is one, or "" for the endpoint\'s own origin'
                )
        for name in ("publish", "poll"):
            target: str = getattr(self, name)
            if not target.startswith("/") or any(sign.isspace() for sign in target):
                raise PlanError(
                    f'endpoint.rest.{name}: "{target}" is not a target; write a path such as /rooms/{{room}}'
                )
        check(self.publish, ("room",), "endpoint.rest.publish")
        check(self.poll, ("room", "after", "limit", "wait"), "endpoint.rest.poll")
        if "after" not in names(self.poll):
            raise PlanError("endpoint.rest.poll: without {after} a poll cannot say what it has had; put {after} in it")

    @property
    def host(self) -> str:
        """The host of `url`; "" when it is the endpoint's own."""
        return urlsplit(self.url).hostname or ""
