"""The client that waits, against real servers: what it trusts, how long it waits, and what it leaves alone."""

import contextlib
import http.server
import socket
import ssl
import threading

import gevent
import pytest

from harness.auth import Redaction
from harness.errors import UsageError
from harness.plan import Endpoint, Tls
from harness.record.row import Outcome
from harness.transport import http_client, sockets
from harness.transport.http_client import HttpClient
from harness.wire.exchange import Answer, Failure, Request
from tests.transport.authority import Authority

GET = Request("GET", "/")


class Page(http.server.BaseHTTPRequestHandler):
    """Answers whether it was shown a certificate; on other paths, as they say."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.client_address[1], dict(self.headers)))
        shows = getattr(self.connection, "getpeercert", dict)
        body = str(bool(shows())).encode()
        if self.path == "/slow":
            server.gate.wait(20)
        if self.path == "/large":
            body = b"x" * 2000
        self.send_response(302 if self.path == "/moved" else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            if self.path == "/dribble":
                self.wfile.write(body[:1])
                server.gate.wait(20)
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """A server of pages, by TLS if it is given a context; `url` is where, `asked` what it was asked."""
    servers = []

    def begin(context=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        server.daemon_threads = True
        server.asked, server.gate = [], threading.Event()
        server.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}/"
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        servers.append((server, thread))
        return server

    yield begin
    for server, thread in servers:
        server.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def secure(authority, serve):
    """The url of a page by TLS; its certificate is for this name."""

    def begin(name):
        pair = authority.sign(name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        context.load_verify_locations(authority.ca_file)
        context.verify_mode = ssl.CERT_OPTIONAL
        return serve(context).url

    return begin


@pytest.fixture
def client():
    made = []

    def make(url, **fields):
        made.append(HttpClient(url, Endpoint(**{"url": "ws://127.0.0.1:1/"} | fields), Redaction(), "observe.url"))
        return made[-1]

    yield make
    for each in made:
        each.close()


def look(url, host, tls):
    """What a page says to a run whose endpoint is at `host`: the body, or what kept it from us."""
    asks = HttpClient(url, Endpoint(url=f"wss://{host}:1/", tls=tls), Redaction(), "observe.url")
    with contextlib.closing(asks):
        found = asks.ask(GET, 10.0)
    return found.body.decode() if isinstance(found, Answer) else found[:2]


def test_on_the_endpoints_host_a_page_is_verified_and_shown_as_connections_are(secure, authority, monkeypatch):
    monkeypatch.setenv("KEY_PASSWORD", "hunter2hunter2")
    url, mine = secure("127.0.0.1"), authority.sign("client.test", password=b"hunter2hunter2")
    shown = {"cert_file": str(mine.cert), "key_file": str(mine.key), "key_password_env": "KEY_PASSWORD"}
    assert look(url, "127.0.0.1", Tls(ca_file=str(authority.ca_file))) == "False"
    assert look(url, "127.0.0.1", Tls(ca_file=str(authority.ca_file), **shown)) == "True"
    assert look(url, "127.0.0.1", Tls(insecure=True)) == "False"
    assert look(url, "127.0.0.1", None)[0] is Outcome.GARBLED


def test_the_page_is_asked_for_the_name_that_connections_ask_for(secure, authority):
    url, ca_file = secure("page.test"), str(authority.ca_file)
    assert look(url, "127.0.0.1", Tls(ca_file=ca_file, server_name="page.test")) == "False"
    assert look(url, "127.0.0.1", Tls(ca_file=ca_file))[0] is Outcome.GARBLED


def test_nothing_is_trusted_elsewhere(secure, authority):
    url = secure("127.0.0.1")
    for tls in (Tls(insecure=True), Tls(ca_file=str(authority.ca_file))):
        assert look(url, "staging.test", tls)[0] is Outcome.GARBLED


def test_a_file_that_cannot_be_used_is_told_before_anything_is_asked(tmp_path):
    with pytest.raises(UsageError, match=r"endpoint\.tls\.ca_file"):
        look("https://127.0.0.1:1/", "127.0.0.1", Tls(ca_file=str(tmp_path / "absent.pem")))


def test_one_connection_serves_many_requests_and_another_client_has_its_own(serve, client):
    server = serve()
    one = client(server.url)
    other = one.another()
    with contextlib.closing(other):
        for asks in (one, one, other, one):
            assert asks.ask(GET, 10.0).status == 200
    ports = [port for _, port, _ in server.asked]
    assert ports[0] == ports[1] == ports[3] != ports[2]


def test_a_redirection_is_an_answer_and_not_followed(serve, client):
    server = serve()
    found = client(server.url).ask(Request("GET", "/moved"), 10.0)
    assert (found.status, found.header("location")) == (302, "/elsewhere")
    assert len(server.asked) == 1


def test_nothing_of_this_machines_environment_gets_in(serve, client, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert client(serve().url).ask(GET, 10.0).status == 200


@pytest.mark.parametrize("path", ["/slow", "/dribble"])
def test_the_whole_time_is_bounded_and_the_next_request_is_free(serve, client, path):
    asks = client(serve().url)
    assert asks.ask(Request("GET", path), 0.2)[0] is Outcome.EXPIRED
    assert asks.ask(GET, 10.0).status == 200


def test_an_answer_that_is_too_long_is_not_kept(serve, client, monkeypatch):
    monkeypatch.setattr(http_client, "MAX_BODY_BYTES", 1000)
    asks = client(serve().url)
    assert asks.ask(Request("GET", "/large"), 10.0)[0] is Outcome.GARBLED
    assert asks.ask(GET, 10.0).status == 200


def test_each_address_of_a_name_is_tried(serve, client, monkeypatch):
    server = serve()
    where = [(int(socket.AF_INET), ("127.0.0.1", port)) for port in (1, server.server_address[1])]
    monkeypatch.setattr(http_client, "resolve", lambda *_: tuple(where))
    assert client("http://two.test/").ask(GET, 10.0).status == 200
    monkeypatch.setattr(http_client, "resolve", lambda *_: tuple(where[:1]))
    assert client("http://one.test/").ask(GET, 10.0)[0] is Outcome.CLOSED


def test_a_name_without_an_address_is_a_failure_of_this_request(client, monkeypatch):
    def nowhere(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(sockets.socket, "getaddrinfo", nowhere)
    found = client("http://nowhere.test/").ask(GET, 10.0)
    assert isinstance(found, Failure)
    assert found.outcome is Outcome.CLOSED
    assert "observe.url" in found.text


def test_who_is_killed_while_waiting_leaves_nothing_behind(serve, client):
    asks = client(serve().url)
    waiting = gevent.spawn(asks.ask, Request("GET", "/slow"), 10.0)
    gevent.sleep(0.1)
    waiting.kill()
    assert asks._connection is asks._clock is None
    assert asks.ask(GET, 10.0).status == 200


def test_what_breaks_in_the_hub_is_raised_where_the_answer_is_waited_for(serve, client, monkeypatch):
    def breaks(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(http_client.HttpConnection, "arrived", breaks)
    with pytest.raises(ZeroDivisionError):
        client(serve().url).ask(GET, 10.0)
