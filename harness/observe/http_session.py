"""The HTTP session that looks at an endpoint's pages: trusts what `[endpoint.tls]` says, on the endpoint's host only.

It must not know what the pages say. The subtle thing: a page may redirect to another host, so trust belongs to an
origin (an adapter mounted there) and never to the session.
"""

from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import urllib3

from ..auth import Hiding
from ..auth.templates import environment
from ..auth.tls_policy import tls_for
from ..plan import Endpoint, Tls


def session_for(url: str, endpoint: Endpoint, hiding: Hiding) -> requests.Session:
    """A session for one page; nothing of this machine's environment gets in (no proxy, no .netrc).

    Raises:
        UsageError: the key's password is not set.
    """
    http = requests.Session()
    http.trust_env = False
    tls = tls_for(endpoint, url)
    if tls != Tls():
        password = environment(tls.key_password_env, "endpoint.tls", hiding) if tls.key_password_env else ""
        parts = urlsplit(url)
        http.mount(f"{parts.scheme}://{parts.netloc}/", _Trusting(tls, password))
    if tls.insecure:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # we have said so, once
    return http


class _Trusting(requests.adapters.HTTPAdapter):
    """Verifies and shows what one table says."""

    def __init__(self, tls: Tls, password: str) -> None:
        self._verify: bool | str = tls.ca_file or not tls.insecure
        self._cert = (tls.cert_file, tls.key_file or tls.cert_file) if tls.cert_file else None
        # An empty password too: OpenSSL would ask for one on the terminal.
        self._pool: dict[str, Any] = {"key_password": password}
        if tls.server_name:
            self._pool |= {"server_hostname": tls.server_name, "assert_hostname": tls.server_name}
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        """As the library does, with the name to ask for and the key's password."""
        super().init_poolmanager(connections, maxsize, block, **(more | self._pool))

    def send(
        self, request: requests.PreparedRequest, stream: Any = False, timeout: Any = None, verify: Any = True,
        cert: Any = None, proxies: Any = None,
    ) -> requests.Response:  # fmt: skip
        """As the library does, whatever the session trusts."""
        return super().send(request, stream, timeout, self._verify, self._cert, proxies)
