"""Who somebody is: JWTs made and checked, and where the secret comes from.

It must not know about HTTP. The subtle thing: HS256 is only as strong as its secret, so one that is shorter
than the hash (32 bytes, RFC 7518 section 3.2) is refused when the endpoint starts, not when somebody guesses it.
"""

import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import jwt

from ..errors import UsageError
from .refusal import Refused

SECRET_ENV = "SQUALL_JWT_SECRET"
ALGORITHM = "HS256"
AUDIENCE = "squall"
DEFAULT_TENANT = "t1"
MEMBER = "member"
ADMIN = "admin"
PUBLISHER = "publisher"
MIN_SECRET_BYTES = 32


class Identity(NamedTuple):
    """Who a token speaks for."""

    user: str
    tenant: str
    roles: frozenset[str]


def issue(
    secret: str, user: str, *, tenant: str = DEFAULT_TENANT, roles: tuple[str, ...] = (MEMBER,), ttl_s: float = 3600
) -> str:
    """A signed token for `user`, valid for `ttl_s` seconds from now (a negative one has expired already)."""
    claims = {"sub": user, "tenant": tenant, "roles": list(roles), "aud": AUDIENCE, "exp": int(time.time() + ttl_s)}
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def check(secret: str, token: str | None, *, verify_expiry: bool = True) -> Identity:
    """Read a token.

    Raises:
        Refused: 401 for an absent, expired, wrongly signed or incomplete token.
    """
    if not token:
        raise Refused(401, "a token is required")
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            options={"require": ["sub", "exp", "aud"], "verify_exp": verify_expiry},
        )
    except jwt.ExpiredSignatureError:
        raise Refused(401, "the token has expired") from None
    except jwt.InvalidTokenError as error:
        raise Refused(401, "the token is not valid", detail=str(error)) from None
    tenant, roles = claims.get("tenant", DEFAULT_TENANT), claims.get("roles", [])
    if not isinstance(tenant, str) or not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise Refused(401, "the token is not valid", detail="tenant must be text, roles a list of text")
    return Identity(claims["sub"], tenant, frozenset(roles))


def require(identity: Identity, role: str) -> Identity:
    """The identity itself, if it has the role.

    Raises:
        Refused: 403.
    """
    if role not in identity.roles:
        raise Refused(403, f"the role {role} is required")
    return identity


def find_secret(secret_file: Path | None) -> str | None:
    """The secret from the environment, else from the file; None when neither is given.

    Raises:
        UsageError: the file cannot be read, or the secret is too short.
    """
    source, secret = SECRET_ENV, os.environ.get(SECRET_ENV)
    if not secret:
        if secret_file is None:
            return None
        source = str(secret_file)
        try:
            secret = secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise UsageError(f"cannot read the secret file {secret_file}: {reason}") from None
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise UsageError(f"the secret in {source} is too short: {ALGORITHM} needs at least {MIN_SECRET_BYTES} bytes")
    return secret


def make_secret_file() -> tuple[str, Path]:
    """A new random secret and the file, readable by its owner only, that holds it."""
    descriptor, name = tempfile.mkstemp(prefix="squall-secret-")
    secret = secrets.token_urlsafe(48)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secret + "\n")
    return secret, Path(name)
