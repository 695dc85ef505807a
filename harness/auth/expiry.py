"""When a token expires, as far as a client can know: by the `exp` claim of a JWT (RFC 7519 4.1.4), unverified."""

import math

import jwt
from jwt.types import Options

LATEST_S = 1e11
"""Seconds since 1970; a later time means the same to us as none."""
UNVERIFIED: Options = {
    "verify_signature": False, "verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False,
}  # fmt: skip


def jwt_expiry(token: str) -> float:
    """When a token expires.

    Returns:
        Seconds since 1970; infinity where the token is no JWT, has no `exp`, or has one that is no time.
    """
    try:
        claimed = jwt.decode(token, options=UNVERIFIED).get("exp")
    except (jwt.PyJWTError, ValueError, RecursionError):
        return math.inf
    return claimed_time(claimed)


def claimed_time(claimed: object) -> float:
    """The value of an `exp` claim as seconds since 1970; infinity where it is no time."""
    if isinstance(claimed, bool) or not isinstance(claimed, int | float):
        return math.inf
    return float(claimed) if 0 <= claimed <= LATEST_S else math.inf
