"""How a connection gets in: its url, headers and subprotocols, with templates, tokens and secrets filled in last.

    entry      what one upgrade request says, when there is a token for it
    provider   where tokens come from: the interface, and which provider a plan's `auth` wants
    given      one token for all, or one a session out of a file
    minted     JWTs signed by us
    login      tokens that the endpoint gives for an HTTP request
    placing    where in a request a token stands
    trusting   which TLS settings a plain https request goes by
    templates  {session}, {conn}, {key} and ${ENV}
    hiding     what must never be written down

The subtle thing: secrets and tokens leave this package only towards a socket; nothing here has a `repr` that shows
them, and `Hiding` knows each of them, so that what an endpoint echoes can be written down without it.
"""

from .entry import Access, Entry
from .provider import Denied, Fields, Provider, make_provider
from .redaction import Hiding
from .templates import expand, fill
from .token_placement import place

__all__ = ["Access", "Denied", "Entry", "Fields", "Hiding", "Provider", "expand", "fill", "make_provider", "place"]
