"""What one upgrade request says, when there is a token for it.

Most tokens are there at once, but a login takes a while and may fail, so a session asks with `admit`, hears the result
later, and never waits.
"""

import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from websockets.exceptions import InvalidURI
from websockets.uri import WebSocketURI, parse_uri

from ..errors import RunFailed, UsageError
from ..placeholders import fill
from ..plan import Endpoint, mask_url
from ..units import SECOND
from .provider import Denied, Fields, MakeHttpClient, Setting, Witness, make_provider, wait_for
from .redaction import Redaction
from .templates import expand_template, one_line, with_query
from .token_placement import place

LONGEST_S = 1e8
"""A token that lives longer than three years never expires for us."""


class Entry(NamedTuple):
    """What one upgrade request says."""

    uri: WebSocketURI
    headers: dict[str, str]
    subprotocols: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Entry({len(self.headers)} headers, {len(self.subprotocols)} subprotocols)"


class Access:
    """The way in of one run's process, for sessions 0 to `sessions` - 1.

    Args:
        witness: hears of each login.
        failure: hears of what breaks in the background.
        http: makes the HTTP clients of a login; needed where the plan wants one.
        room_of: the name of a session's room; needed where the plan's url, headers or the like hold {room}.

    Raises:
        UsageError: an environment variable that the plan names is not set, or a file that it names cannot be used.
    """

    def __init__(
        self, endpoint: Endpoint, nonce: str, sessions: int = 1, *, redaction: Redaction | None = None,
        witness: Witness | None = None, failure: Callable[[BaseException], None] | None = None,
        http: MakeHttpClient | None = None, room_of: Callable[[int], str] | None = None,
    ) -> None:  # fmt: skip
        self.redaction = redaction or Redaction()
        self._endpoint = endpoint
        self._nonce = nonce
        self.room_of = room_of
        """The name of the room that a session's connections are to; None where a connection is to no room."""
        url = expand_template(endpoint.url, "endpoint.url", self.redaction)
        self._url = one_line(with_query(url, self._expanded("query")), "endpoint.url")
        self._headers = self._expanded("headers")
        cookies = [f"{name}={value}" for name, value in self._expanded("cookies").items()]
        if cookies:
            self._headers["Cookie"] = "; ".join(filter(None, (self._headers.get("Cookie"), *cookies)))
        setting = Setting("endpoint.auth", endpoint, self.redaction, sessions, witness, failure, http)
        self._provider = make_provider(endpoint.auth, setting)
        self._expires_ns: dict[int, int] = {}
        try:
            self._base = parse_uri(fill(self._url, Fields(0, 0, "0", "0").url_texts))
        except (InvalidURI, ValueError):
            raise UsageError(
                f'endpoint.url: "{mask_url(endpoint.url)}" cannot be connected to: write ws://host:port/path?query'
            ) from None
        self._plain = None if "{" in self._url else self._base
        parts = urlsplit(self._url)
        origin = f"{parts.scheme}://{parts.netloc}"
        self._origin = origin if "{" not in origin and self._url.isascii() else ""

    def _expanded(self, key: str) -> dict[str, str]:
        """One of the endpoint's tables of texts, with the environment's values."""
        table: dict[str, str] = getattr(self._endpoint, key)
        return {
            name: one_line(expand_template(text, where, self.redaction), where)
            for name, text in table.items()
            if (where := f"endpoint.{key}.{name}")
        }

    @property
    def port(self) -> int:
        """Where the endpoint listens."""
        return self._base.port

    def conceal(self, text: str) -> str:
        """The text without what is ours to hide: a refusal may echo what it refused."""
        return self.redaction.conceal(text)

    def admit(self, session: int, conn: int, then: Callable[[Entry | Denied], None]) -> None:
        """Give `then` the upgrade request of connection `conn` (0 = first) of a session: at once, or after a login."""
        whose = self._whose(session, conn)
        token = self._provider.token(whose)
        if token is not None:
            then(self._entry(whose, token))
            return
        self._provider.fetch(
            whose, lambda found: then(found if isinstance(found, Denied) else self._entry(whose, found))
        )

    def entry(self, session: int, conn: int) -> Entry:
        """The same for one who can wait, in a greenlet of its own.

        Raises:
            RunFailed: the login was refused.
        """
        whose = self._whose(session, conn)
        token: str | Denied | None = self._provider.token(whose)
        if token is None:
            token = wait_for(self._provider, whose)
        if isinstance(token, Denied):
            said = f": {token.body}" if token.body else ""
            raise RunFailed(f"endpoint.auth: {token.text}{said}; check endpoint.auth")
        return self._entry(whose, token)

    def command(self, session: int, conn: int) -> dict[str, str]:
        """The headers of a plain HTTP request of this session: the plan's, and its token as a bearer's."""
        whose = self._whose(session, conn)
        headers = {name: fill(value, whose.texts) for name, value in self._headers.items()}
        token = self._provider.latest(whose)
        if token:
            headers.setdefault("Authorization", f"Bearer {token}")
        return headers

    def command_life_s(self, session: int, conn: int) -> float:
        """How long those headers may be used before it is time for others (seconds; 0: it is time)."""
        return self._provider.life_s(self._whose(session, conn))

    def renew(self, session: int, conn: int, then: Callable[[str | Denied], None]) -> bool:
        """Log in again if it is time to; `then` hears the result. False when no token has to be fetched."""
        whose = self._whose(session, conn)
        if self._provider.token(whose) is not None:
            return False
        self._provider.fetch(whose, then)
        return True

    def refused(self, session: int, conn: int, status: int) -> bool:
        """The endpoint refused this connection with an HTTP status; True when it is worth one more try, for there will
        be another token.
        """
        return self._provider.forget(self._whose(session, conn), status)

    def expires_ns(self, session: int) -> int:
        """When the token of a session's latest connection expires, on the monotonic clock; 0: never, or not known."""
        return self._expires_ns.get(session, 0)

    @property
    def is_renewable(self) -> bool:
        """Whether a session whose token has expired gets another one for its next connection."""
        return self._provider.is_renewable

    def close(self) -> None:
        """End the logins under way; their callers learn that they were abandoned."""
        self._provider.close()

    def _whose(self, session: int, conn: int) -> Fields:
        room = self.room_of(session) if self.room_of is not None else ""
        return Fields.of(self._nonce, session, conn, room)

    def _entry(self, whose: Fields, token: str) -> Entry:
        fields = whose.texts
        headers = {name: fill(value, fields) for name, value in self._headers.items()}
        endpoint = self._endpoint
        plain = fill(self._url, whose.url_texts)
        url, subprotocols = place(endpoint.auth, token, plain, headers, endpoint.subprotocols)
        uri = self._plain if self._plain is not None and url is plain else self._uri(url)
        self._note_expiry(whose)
        return Entry(uri, headers, subprotocols)

    def _note_expiry(self, whose: Fields) -> None:
        left_s = self._provider.expires_s(whose) - time.time()
        if left_s < LONGEST_S:
            self._expires_ns[whose.session] = max(1, time.monotonic_ns() + round(left_s * SECOND))
        else:
            self._expires_ns.pop(whose.session, None)

    def _uri(self, url: str) -> WebSocketURI:
        """The url taken apart; where only its path and query differ, a tenth of the time that parsing takes (40 us)."""
        if not self._origin:
            return parse_uri(url)
        path, _, query = url[len(self._origin) :].partition("?")
        base = self._base
        return WebSocketURI(base.secure, base.host, base.port, path, query, base.username, base.password)
