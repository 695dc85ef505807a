"""`auth`: how a connection, or a request for the connection list, proves its identity: one struct per kind.

Secrets never appear here, only the names of the environment variables and files that hold them. A login's body may
contain `${NAME}`; values whose names suggest a secret are masked before anything is written down.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ..errors import PlanError
from ..placeholders import check, names
from .masking import mask_all, mask_url
from .section import Count, NotNegative, Positive, Section

TOKEN_ENV = "SQUALL_TOKEN"
SECRET_ENV = "SQUALL_JWT_SECRET"
NAMES = {"header": "Authorization", "query": "token", "subprotocol": "bearer", "cookie": "token"}
SCHEME = "Bearer"
PER_CONNECTION = ("session", "conn", "key", "room")
"""The placeholders whose values are known when a connection opens."""


class NoAuth(Section, frozen=True, kw_only=True, tag_field="kind", tag="none"):
    """Nothing is proven."""


class Placed(Section, frozen=True, kw_only=True):
    """Where the upgrade request contains the token.

    `name` is the header, the query parameter, the cookie or the subprotocol offered before the token (default:
    Authorization, token, token, bearer); `scheme` is the word before a token in a header ("": none).
    """

    via: Literal["header", "query", "subprotocol", "cookie"] = "header"
    name: str = ""
    scheme: str = SCHEME

    def __post_init__(self) -> None:
        if self.scheme != SCHEME and self.via != "header":
            raise PlanError(f'auth.scheme: "{self.scheme}" goes with via = "header", not with "{self.via}"')
        if any(not sign.isascii() or not sign.isprintable() or sign in " \t,;=:" for sign in self.name):
            raise PlanError(f'auth.name: "{self.name}" cannot be the name of a {self.via}')

    @property
    def place(self) -> str:
        """The name, or its default."""
        return self.name or NAMES[self.via]


class TokenAuth(Placed, frozen=True, kw_only=True, tag_field="kind", tag="token"):
    """One token for all, out of the environment (SQUALL_TOKEN unless named) or a file."""

    token_env: str | None = None
    token_file: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of(token_env=self.token_env, token_file=self.token_file)


class TokensAuth(Placed, frozen=True, kw_only=True, tag_field="kind", tag="tokens"):
    """A token a session, out of a file: session n has the n-th.

    Without `column` a line is a token; else the file is CSV, and `column` a name of its first row or a number
    from 1. `reuse`: more sessions than tokens begin again with the first.
    """

    file: str
    column: str | Count | None = None
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    reuse: bool = False


class JwtAuth(Placed, frozen=True, kw_only=True, tag_field="kind", tag="jwt"):
    """A JWT made for each connection (or kept for each session, or one for all), signed by us.

    The secret (HS...) or the private key as PEM (the others) is in the environment (SQUALL_JWT_SECRET unless named)
    or in a file. Strings of `claims` may hold {session}, {conn}, {key} and {room}.
    """

    secret_env: str | None = None
    secret_file: str | None = None
    algorithm: Literal[
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA",
    ] = "HS256"  # fmt: skip
    kid: str = ""
    claims: dict[str, Any] = {}
    ttl_s: Positive = 3600.0
    per: Literal["connection", "session", "run"] = "connection"
    refresh_before_s: NotNegative = 30.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of(secret_env=self.secret_env, secret_file=self.secret_file)
        check(self.claims, PER_CONNECTION, "auth.claims")
        _shared_or_not(self.per, self.claims, "claims")


class LoginAuth(Placed, frozen=True, kw_only=True, tag_field="kind", tag="login"):
    """A token that the endpoint gives for an HTTP request, asked for before connecting.

    `url` is absolute or a path on the endpoint's own origin. `body` is sent as JSON, `form` as a form; their strings,
    `url` and `headers` may hold {session}, {conn}, {key}, {room} and ${ENV}. `token_path` leads to the token in the
    JSON answer, `expires_in_path` to its life in seconds (without it a JWT's own `exp` counts, and else it never ends).
    """

    url: str
    method: Literal["POST", "GET", "PUT"] = "POST"
    headers: dict[str, str] = {}
    body: dict[str, Any] | None = None
    form: dict[str, str] | None = None
    token_path: str = "token"
    expires_in_path: str = ""
    per: Literal["session", "run"] = "session"
    refresh_before_s: NotNegative = 30.0
    again_on: tuple[int, ...] = (401,)
    at_once: Count = 10
    timeout_s: Positive = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.body is not None and self.form is not None:
            raise PlanError("auth: a login has either body (JSON) or form, not both")
        if not self.url.startswith(("http://", "https://", "/", "${")):
            raise PlanError(f'auth.url: "{mask_url(self.url)}" is neither http://... nor a path on the endpoint')
        if not self.token_path:
            raise PlanError('auth.token_path: say where the token is in the answer, for example "access_token"')
        for name in ("url", "headers", "body", "form"):
            check(getattr(self, name), PER_CONNECTION, f"auth.{name}", environment=True)
        _shared_or_not(self.per, [self.url, self.headers, self.body, self.form], "the request")


Auth = NoAuth | TokenAuth | TokensAuth | JwtAuth | LoginAuth
FILES = ("token_file", "secret_file", "file")


def with_files_of(auth: Auth, folder: Path | None) -> Auth:
    """A copy in which files relative to `folder` (the plan's own) have paths that are valid anywhere."""
    found = {
        name: str((folder / file).resolve())
        for name in FILES
        if folder is not None and (file := getattr(auth, name, None)) and (folder / file).is_file()
    }
    return msgspec.structs.replace(auth, **found) if found else auth


def mask_auth(data: dict[str, Any]) -> dict[str, Any]:
    """The table as it may be written down: url, headers, body and form of a login masked where they sound secret."""
    masked = dict(data)
    if masked.get("kind") == LoginAuth.__struct_config__.tag:
        masked["url"] = mask_url(masked["url"])
        for name in ("headers", "body", "form"):
            masked[name] = mask_all("", masked[name])
    return masked


def _one_of(**sources: str | None) -> None:
    given = [name for name, value in sources.items() if value is not None]
    if len(given) > 1:
        raise PlanError(f"auth: {' and '.join(given)} say the same thing twice; give one")


def templates_of(auth: Auth) -> Any:
    """What of the table holds placeholders, as plain data."""
    if isinstance(auth, JwtAuth):
        return auth.claims
    return [auth.url, auth.headers, auth.body, auth.form] if isinstance(auth, LoginAuth) else []


def _shared_or_not(per: str, templated: Any, what: str) -> None:
    found = set(names(templated, environment=True))
    if per == "run" and found:
        raise PlanError(
            f'auth.per: "run" is one token for all sessions, but {what} has {{{min(found)}}}; use per = "session"'
        )
    if per == "session" and (wrong := found & {"conn", "key"}):
        raise PlanError(f"auth.per: a session's token serves many connections, but {what} has {{{min(wrong)}}}")
