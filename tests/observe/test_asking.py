"""What the looks at an endpoint's pages trust, against a real server that speaks TLS and wants to see a certificate."""

import http.server
import ssl
import threading

import pytest
import requests

from harness.auth import Hiding
from harness.observe.http_session import session_for
from harness.plan import Endpoint, Tls
from tests.transport.authority import Authority


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(self.connection.getpeercert() is not None and bool(self.connection.getpeercert())).encode()
        self.send_response(302 if "?to=" in self.path else 200)
        self.send_header("Location", self.path.partition("?to=")[2])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def page(authority):
    """The url of a page that says whether it was shown a certificate; its own is for "page.test" and 127.0.0.1."""
    servers = []

    def serve(name):
        pair = authority.sign(name)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        context.load_verify_locations(authority.ca_file)
        context.verify_mode = ssl.CERT_OPTIONAL
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        servers.append((server, thread))
        return f"https://127.0.0.1:{server.server_address[1]}/"

    yield serve
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def look(url, host, tls, to=""):
    with session_for(url, Endpoint(url=f"wss://{host}:1/", tls=tls), Hiding()) as http:
        return http.get(url + (f"?to={to}" if to else ""), timeout=10).text


def test_on_the_endpoints_host_a_page_is_verified_and_shown_as_connections_are(page, authority, monkeypatch):
    monkeypatch.setenv("KEY_PASSWORD", "hunter2hunter2")
    url, mine = page("127.0.0.1"), authority.sign("client.test", password=b"hunter2hunter2")
    shown = {"cert_file": str(mine.cert), "key_file": str(mine.key), "key_password_env": "KEY_PASSWORD"}
    assert look(url, "127.0.0.1", Tls(ca_file=str(authority.ca_file))) == "False"
    assert look(url, "127.0.0.1", Tls(ca_file=str(authority.ca_file), **shown)) == "True"
    assert look(url, "127.0.0.1", Tls(insecure=True)) == "False"


def test_the_page_is_asked_for_the_name_that_connections_ask_for(page, authority):
    url, ca_file = page("page.test"), str(authority.ca_file)
    assert look(url, "127.0.0.1", Tls(ca_file=ca_file, server_name="page.test")) == "False"
    with pytest.raises(requests.exceptions.SSLError):
        look(url, "127.0.0.1", Tls(ca_file=ca_file))


def test_nothing_is_trusted_elsewhere_not_even_after_a_redirection(page, authority):
    url, other = page("127.0.0.1"), page("127.0.0.1")
    for tls in (Tls(insecure=True), Tls(ca_file=str(authority.ca_file))):
        with pytest.raises(requests.exceptions.SSLError):
            look(url, "staging.test", tls)
        with pytest.raises(requests.exceptions.SSLError):
            look(url, "127.0.0.1", tls, other)
