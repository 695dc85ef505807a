"""How a connection gets in: its url, headers and subprotocols, with templates, tokens and secrets filled in last.

    entry            what one upgrade request says, when there is a token for it
    provider         where tokens come from: the interface, and which provider a plan's `auth` wants
    static_tokens    one token for all, or one per session from a file
    signed_tokens    JWTs signed by us
    login            tokens that the endpoint gives for an HTTP request
    token_placement  where in a request a token stands
    tls_policy       which TLS settings a plain https request uses
    proxy            the plan's proxy
    templates        {session}, {conn}, {key}, {room} and ${ENV}
    redaction        what must never be written down

Secrets and tokens leave this package only towards a socket. Nothing here has a `repr` that shows them, and `Redaction`
knows each of them, so that what an endpoint echoes can be written down without it.
"""

from .entry import Access, Entry
from .provider import Denied, Fields, Provider, make_provider
from .redaction import Redaction
from .templates import expand
from .token_placement import place

__all__ = ["Access", "Denied", "Entry", "Fields", "Provider", "Redaction", "expand", "make_provider", "place"]
