"""Identities: JWTs issued and checked, and where the secret comes from.

HS256 is only as strong as its secret, so a secret shorter than the hash (32 bytes, RFC 7518 section 3.2) is refused
when the endpoint starts.
"""

import math
import os
import secrets
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

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
LATEST_S = 1e11
"""A later expiry (seconds since 1970) is as good as this one."""
ALGORITHMS = ((RSAPublicKey, "RS256"), (EllipticCurvePublicKey, "ES256"), (Ed25519PublicKey, "EdDSA"))


class Identity(NamedTuple):
    """The identity in a token: user, tenant, roles, enabled features, and the expiry (seconds since 1970)."""

    user: str
    tenant: str
    roles: frozenset[str]
    features: frozenset[str] = frozenset()
    expires: float = math.inf


class Verifier(NamedTuple):
    """The key for signatures (the secret, or a public key as PEM text) and its algorithms."""

    key: str
    algorithms: tuple[str, ...] = (ALGORITHM,)


def issue(
    key: str,
    user: str,
    *,
    tenant: str = DEFAULT_TENANT,
    roles: tuple[str, ...] = (MEMBER,),
    features: tuple[str, ...] = (),
    ttl_s: float = 3600,
    algorithm: str = ALGORITHM,
) -> str:
    """A signed token for `user`, valid for `ttl_s` seconds from now (negative: expired already)."""
    claims: dict[str, Any] = {"sub": user, "tenant": tenant, "roles": list(roles), "aud": AUDIENCE}
    claims |= {"exp": int(time.time() + ttl_s)} | ({"features": list(features)} if features else {})
    return jwt.encode(claims, key, algorithm=algorithm)


def check(verifier: Verifier, token: str | None, *, verify_expiry: bool = True) -> Identity:
    """Read a token.

    Raises:
        Refused: 401 for a missing, expired, wrongly signed or incomplete token.
    """
    if not token:
        raise Refused(401, "a token is required")
    try:
        claims = jwt.decode(
            token,
            verifier.key,
            algorithms=list(verifier.algorithms),
            audience=AUDIENCE,
            options={"require": ["sub", "exp", "aud"], "verify_exp": verify_expiry},
        )
    except jwt.ExpiredSignatureError:
        raise Refused(401, "the token has expired") from None
    except (jwt.InvalidTokenError, UnicodeError) as error:  # a header may contain bytes that are not text
        raise Refused(401, "the token is not valid", detail=str(error)) from None
    return identity_of(claims)


def identity_of(claims: Any) -> Identity:
    """The identity in a token's claims.

    Raises:
        Refused: 401, if they are not of the right types.
    """
    if not isinstance(claims, Mapping):
        raise Refused(401, "the token is not valid", detail="the claims are no mapping")
    user, tenant = claims.get("sub"), claims.get("tenant", DEFAULT_TENANT)
    lists = claims.get("roles", []), claims.get("features", [])
    if not (is_text(user) and is_text(tenant)):
        raise Refused(401, "the token is not valid", detail="sub and tenant must be text")
    if not all(isinstance(each, list | tuple) and all(isinstance(item, str) for item in each) for each in lists):
        raise Refused(401, "the token is not valid", detail="roles and features must be lists of text")
    expires = claims.get("exp")
    if isinstance(expires, bool) or not isinstance(expires, int | float):
        expires = math.inf
    roles, features = map(frozenset, lists)
    return Identity(user, tenant, roles, features, float(min(expires, LATEST_S)))


def is_text(value: object) -> TypeGuard[str]:
    """Whether a claim can be sent to others: text, not empty, without lone surrogates."""
    if not isinstance(value, str) or not value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_public_key(path: Path) -> Verifier:
    """The verifier of a public key file (PEM): RS256, ES256 or EdDSA by its kind.

    Raises:
        UsageError: it cannot be read, or contains no such key.
    """
    try:
        text = path.read_text(encoding="ascii")
        key = load_pem_public_key(text.encode())
    except OSError as error:
        raise UsageError(f"cannot read the public key file {path}: {error.strerror}") from None
    except (ValueError, UnicodeError, UnsupportedAlgorithm):
        raise UsageError(f"the public key file {path} holds no PEM public key (-----BEGIN PUBLIC KEY-----)") from None
    for kind, algorithm in ALGORITHMS:
        if isinstance(key, kind):
            return Verifier(text, (algorithm,))
    raise UsageError(f"the public key file {path} holds a key of another kind: give RSA, P-256 or Ed25519")


def require(identity: Identity, role: str) -> Identity:
    """The identity itself, if it has the role.

    Raises:
        Refused: 403.
    """
    if role not in identity.roles:
        raise Refused(403, f"the role {role} is required")
    return identity


def find_secret(secret_file: Path | None) -> str | None:
    """The secret from the environment, otherwise from the file; None if neither is given.

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
