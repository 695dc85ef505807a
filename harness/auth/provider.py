"""Where tokens come from: the interface of a provider, and which one a plan's `auth` wants.

`token` answers at once or says that the token must be fetched, so that all providers but a login cost no switch, and a
login never blocks an opening.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from ..errors import UsageError
from ..plan import Auth, Endpoint, JwtAuth, LoginAuth, TokenAuth, TokensAuth
from ..record.row import Outcome
from ..wire.exchange import Answer, Failure, Request
from ..wire.ids import connection_key, session_name
from .redaction import Redaction


class Fields(NamedTuple):
    """Whose token: a session, its connection (0 = first), that connection's name in the endpoint's list, its room."""

    session: int
    conn: int
    key: str
    room: str = ""
    """The room's name; "" where no template of the plan holds {room}."""

    @classmethod
    def of(cls, nonce: str, session: int, conn: int, room: str = "") -> "Fields":
        """The fields of one connection."""
        return cls(session, conn, connection_key(session_name(nonce, session), conn), room)

    @property
    def texts(self) -> Mapping[str, str]:
        """For templates, by PER_CONNECTION."""
        return {"session": str(self.session), "conn": str(self.conn), "key": self.key, "room": self.room}

    @property
    def url_texts(self) -> Mapping[str, str]:
        """The same, encoded for a url."""
        return {**self.texts, "room": quote(self.room, safe="")} if self.room else self.texts


class Denied(NamedTuple):
    """No token was had; `code` is an HTTP status or an errno, by outcome; the text and body hold no secret."""

    outcome: Outcome
    code: int
    text: str
    body: str = ""
    retry_after: str = ""
    """What the answer's header of this name says."""


class Witness(Protocol):
    """Hears of each login for the record; times in ns on the monotonic clock, `ended` 0 without an answer."""

    def __call__(self, whose: Fields, outcome: Outcome, code: int, due: int, began: int, ended: int) -> None:
        """One login is over."""


class HttpClient(Protocol):
    """Asks one origin for a greenlet that may wait."""

    def another(self) -> "HttpClient":
        """A client of the same origin with a connection of its own."""

    def ask(self, request: Request, timeout_s: float) -> Answer | Failure:
        """Send one request and wait for the whole answer."""

    def close(self) -> None:
        """End the connection; another request would begin a new one."""


class MakeHttpClient(Protocol):
    """Makes the client of one origin; the transport, which is above this package, gives it."""

    def __call__(self, url: str, endpoint: Endpoint, redaction: Redaction, key: str, *, by_proxy: bool) -> HttpClient:
        """The client for the origin of `url`, which stands at `key` in the plan, perhaps by the endpoint's proxy.

        Raises:
            UsageError: a file or an environment variable that the plan names cannot be used.
        """


Then = Callable[[str | Denied], None]


class Provider:
    """The base, and what serves an endpoint that wants no token."""

    def token(self, whose: Fields) -> str | None:
        """The token for a connection now ("": none is needed); None when it must be fetched first."""
        return ""

    def latest(self, whose: Fields) -> str:
        """The token that a connection has been using, even when it is time for another ("": there is none)."""
        return self.token(whose) or ""

    def life_s(self, whose: Fields) -> float:
        """How long the latest token may be used before it is time for another (seconds; 0: it is time)."""
        return math.inf

    def expires_s(self, whose: Fields) -> float:
        """When the token given last for this connection expires (seconds since 1970; infinity: never, or not known)."""
        return math.inf

    @property
    def is_renewable(self) -> bool:
        """Whether a session whose token has expired gets another one for its next connection."""
        return True

    def fetch(self, whose: Fields, then: Then) -> None:
        """Get it without blocking; `then` hears of it, perhaps at once."""
        then(self.token(whose) or "")

    def forget(self, whose: Fields, status: int) -> bool:
        """The endpoint refused this connection; True when its token may be to blame and another can be had."""
        return False

    def close(self) -> None:
        """Nothing more is wanted."""


class Setting(NamedTuple):
    """What a provider may need beyond its table of the plan."""

    where: str
    endpoint: Endpoint
    redaction: Redaction
    sessions: int
    witness: Witness | None
    failure: Callable[[BaseException], None] | None
    http: MakeHttpClient | None
    """What a login asks by; None where there can be none."""


def make_provider(auth: Auth, setting: Setting) -> Provider:
    """The provider that a plan wants.

    Raises:
        UsageError: a variable is not set, a file cannot be read, is too short, or does not hold a key.
    """
    # Imported when wanted: signing and HTTP are heavy, and most plans want one of them at most.
    if isinstance(auth, TokenAuth | TokensAuth):
        from .static_tokens import SharedToken, TokenPerSession

        return SharedToken(auth, setting) if isinstance(auth, TokenAuth) else TokenPerSession(auth, setting)
    if isinstance(auth, JwtAuth):
        from .signed_tokens import SignedTokens

        return SignedTokens(auth, setting)
    if isinstance(auth, LoginAuth):
        from .login import Login

        return Login(auth, setting)
    return Provider()


def wait_for(provider: Provider, whose: Fields) -> str | Denied:
    """The token, waiting for it in the calling greenlet: for what is no session of the run."""
    from gevent.event import AsyncResult

    result: Any = AsyncResult()
    provider.fetch(whose, result.set)
    found: str | Denied = result.get()
    return found


def fit_for_a_request(token: str, where: str) -> str:
    """The token, if a request can contain it (RFC 9110 section 5.5: no control characters).

    Raises:
        UsageError: it cannot.
    """
    if not token.isascii() or not token.isprintable():
        raise UsageError(f"{where}: a token must be printable ASCII on one line")
    return token
