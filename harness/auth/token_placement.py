"""Where in a request a token stands: a header, the query, a subprotocol or a cookie."""

from collections.abc import MutableMapping
from urllib.parse import quote

from ..plan import Auth, NoAuth


def place(
    auth: Auth, token: str, url: str, headers: MutableMapping[str, str], subprotocols: tuple[str, ...] = ()
) -> tuple[str, tuple[str, ...]]:
    """Put a token where `auth` wants it: into `headers`, or into the url or subprotocols that are given back.

    A header that the plan itself sets is left alone. The way of a subprotocol is the one that browsers are left with:
    a marker, then the token (Kubernetes and graphql servers take it so).
    """
    if not token or isinstance(auth, NoAuth):
        return url, subprotocols
    if auth.via == "header":
        headers.setdefault(auth.place, f"{auth.scheme} {token}" if auth.scheme else token)
    elif auth.via == "cookie":
        cookie = f"{auth.place}={token}"
        others = headers.get("Cookie")
        headers["Cookie"] = f"{others}; {cookie}" if others else cookie
    elif auth.via == "query":
        base, hash_sign, fragment = url.partition("#")
        url = f"{base}{'&' if '?' in base else '?'}{auth.place}={quote(token, safe='')}{hash_sign}{fragment}"
    else:
        subprotocols = (*subprotocols, auth.place, token)
    return url, subprotocols
