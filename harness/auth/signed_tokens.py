"""JWTs signed by us, with the plan's claims.

Reading an RSA key out of its PEM takes 48 ms, a signature 0.3 ms, so the key is read once. It is tried once too, so
that a wrong one is reported before the run.
"""

import math
import time
import warnings
from typing import Any

import jwt
from jwt.algorithms import get_default_algorithms

from ..errors import UsageError
from ..plan import JwtAuth
from ..plan.auth import SECRET_ENV
from .expiry import claimed_time
from .provider import Fields, Provider, Setting
from .templates import fill_all, held

AUDIENCE = "squall"

# A short secret is the endpoint's choice: what it accepts is what is tested.
warnings.filterwarnings("ignore", category=jwt.InsecureKeyLengthWarning)


class SignedTokens(Provider):
    """A token for each connection, or kept for each session or for all until shortly before it expires.

    Raises:
        UsageError: the secret is not set, the file cannot be read, or it holds no key for the algorithm.
    """

    def __init__(self, auth: JwtAuth, setting: Setting) -> None:
        self._auth = auth
        self._redaction = setting.redaction
        secret, source = held(auth.secret_env, SECRET_ENV, auth.secret_file, setting.where, setting.redaction)
        for line in secret.splitlines():
            setting.redaction.add(line.strip())
        self._key = _key(auth.algorithm, secret, f"{setting.where}: {source}")
        self._kept: dict[int, tuple[str, float]] = {}

    def token(self, whose: Fields) -> str:
        """A new one (HS256 35 us, EdDSA 70, ES256 80, RS256 300), or the kept one while it is fresh."""
        if self._auth.per == "connection":
            return self._sign(whose, time.time())
        number = self._number(whose)
        token, expires = self._kept.get(number, ("", 0.0))
        now = time.time()
        if now >= expires - self._auth.refresh_before_s:
            token = self._sign(whose, now)
            self._kept[number] = (token, now + self._auth.ttl_s)
        return token

    def life_s(self, whose: Fields) -> float:
        """Until the next one would be signed; for a token per connection, until shortly before it expires."""
        auth = self._auth
        if auth.per == "connection":
            return auth.ttl_s - min(auth.refresh_before_s, auth.ttl_s / 2)
        _, expires = self._kept.get(self._number(whose), ("", 0.0))
        return max(0.0, expires - auth.refresh_before_s - time.time())

    def expires_s(self, whose: Fields) -> float:
        """By the claims; for a token per connection, of one signed now."""
        auth = self._auth
        if "exp" in auth.claims:
            return claimed_time(fill_all(auth.claims, whose.texts)["exp"])
        if auth.per == "connection":
            return int(time.time() + auth.ttl_s)
        _, expires = self._kept.get(self._number(whose), ("", math.inf))
        return expires if expires == math.inf else int(expires)

    def _number(self, whose: Fields) -> int:
        return whose.session if self._auth.per == "session" else -1

    def _sign(self, whose: Fields, now: float) -> str:
        auth = self._auth
        claims = {
            "aud": AUDIENCE,
            "iat": int(now),
            "exp": int(now + auth.ttl_s),
            **fill_all(auth.claims, whose.texts),
        }
        return jwt.encode(claims, self._key, auth.algorithm, {"kid": auth.kid} if auth.kid else None)


def _key(algorithm: str, secret: str, where: str) -> Any:
    """The secret or private key as the signer wants it, proven by one signature.

    Raises:
        UsageError: it cannot sign with this algorithm.
    """
    if not algorithm.startswith("HS") and "PRIVATE KEY" not in secret:
        raise UsageError(f"{where} does not hold a private key as PEM, which {algorithm} needs")
    try:
        key = get_default_algorithms()[algorithm].prepare_key(secret)
        jwt.encode({}, key, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        # What the library says names its own classes, or repeats the key.
        kind = "a shared secret, not a key" if algorithm.startswith("HS") else "a private key of its own kind"
        raise UsageError(f"{where} cannot sign with {algorithm}, which needs {kind}") from None
    return key
