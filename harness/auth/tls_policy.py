"""Which of `[endpoint.tls]` a plain https request beside the WebSocket uses: all of it on the endpoint's own host.

A staging endpoint's `insecure`, its authorities and our client certificate are for that endpoint. A login or a page on
another host is verified as a browser would verify it, and is shown nothing.
"""

from urllib.parse import urlsplit

from ..plan import Endpoint, Tls


def tls_for(endpoint: Endpoint, url: str) -> Tls:
    """The plan's table for a url on the endpoint's host, on any port (certificates are for hosts), or none."""
    if endpoint.tls is None or urlsplit(url).hostname != endpoint.host:
        return Tls()
    return endpoint.tls
