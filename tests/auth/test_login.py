"""Logins against a real HTTP server in a thread of this process."""

import base64
import contextlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import gevent
import jwt
import pytest

from harness.auth import Access
from harness.errors import RunFailed, UsageError
from harness.plan import Endpoint, LoginAuth, Tls
from harness.record.row import Outcome
from harness.transport.http_client import HttpClient
from tests.integration.relay import Relay
from tests.transport.authority import Authority
from tests.waiting import until


class Desk(ThreadingHTTPServer):
    """Gives each login a token of its own; `answer` may be told to do otherwise."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.now = self.most = 0
        self.lock = threading.Lock()
        self.answer = lambda n, asked: (200, {"data": {"token": f"token-{n}"}, "life": 3600})

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/login"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        desk = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        with desk.lock:
            desk.asked.append((self.command, self.path, dict(self.headers), body))
            number = len(desk.asked)
            desk.now += 1
            desk.most = max(desk.most, desk.now)
        status, answer = desk.answer(number, body)
        with desk.lock:
            desk.now -= 1
        if status is None:
            self.close_connection = True
            return
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture
def desk():
    desk = Desk()
    thread = threading.Thread(target=desk.serve_forever, args=(0.05,))
    thread.start()
    yield desk
    desk.shutdown()
    desk.server_close()
    thread.join()


@pytest.fixture
def enter(desk):
    """Access with a login at the desk; each ends with its workers."""
    made = []

    def make(witness=None, **fields):
        plan = {"url": desk.url, "body": {"user": "u{session}"}, "token_path": "data.token"} | fields
        way = Access(
            Endpoint(url="ws://127.0.0.1:1/", auth=LoginAuth(**plan)), "n1", 100, witness=witness, http=HttpClient
        )
        made.append(way)
        return way

    yield make
    for way in made:
        way.close()
    gevent.sleep(0)


def told(way, *sessions, conn=0):
    """What each of these sessions hears when all ask at once."""
    heard = {}
    for session in sessions:
        way.admit(session, conn, lambda found, session=session: heard.__setitem__(session, found))
    until(lambda: len(heard) == len(sessions), sleep=gevent.sleep)
    return [heard[session] for session in sessions]


def token(entry):
    return entry.headers["Authorization"].removeprefix("Bearer ")


def test_each_session_logs_in_once_and_keeps_its_token(desk, enter):
    way = enter()
    first = [token(entry) for entry in told(way, 0, 1, 2)]
    assert len(set(first)) == 3
    assert [token(entry) for entry in told(way, 0, 1, 2, conn=1)] == first
    assert sorted(json.loads(body)["user"] for _, _, _, body in desk.asked) == ["u0", "u1", "u2"]
    assert desk.asked[0][2]["Content-Type"] == "application/json"
    assert way.command(1, 1) == {"Authorization": f"Bearer {first[1]}"}


@pytest.fixture
def secure_desk(tmp_path):
    """A desk that speaks TLS: its url for a host, and the authority that signed for "desk.test" and for 127.0.0.1."""

    @contextlib.contextmanager
    def serve(name):
        authority = Authority(tmp_path)
        pair = authority.sign(name)
        desk = Desk()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        desk.socket = context.wrap_socket(desk.socket, server_side=True)
        thread = threading.Thread(target=desk.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield desk.url.replace("http", "https"), str(authority.ca_file)
        finally:
            desk.shutdown()
            desk.server_close()
            thread.join()

    return serve


def login_at(url, host, tls):
    """What a session of a `wss://` endpoint at `host` hears when it logs in at `url`."""
    way = Access(
        Endpoint(url=f"wss://{host}:1/", tls=tls, auth=LoginAuth(url=url, token_path="data.token")),
        "n1",
        http=HttpClient,
    )
    (found,) = told(way, 0)
    way.close()
    return found


def test_over_https_the_login_trusts_what_connections_trust(secure_desk):
    with secure_desk("127.0.0.1") as (url, ca_file):
        assert token(login_at(url, "127.0.0.1", Tls(ca_file=ca_file))).startswith("token-")
        assert token(login_at(url, "127.0.0.1", Tls(insecure=True))).startswith("token-")
        found = login_at(url, "127.0.0.1", None)
        assert found.outcome is Outcome.GARBLED


def test_the_login_is_asked_for_the_name_that_connections_ask_for(secure_desk):
    with secure_desk("desk.test") as (url, ca_file):
        assert token(login_at(url, "127.0.0.1", Tls(ca_file=ca_file, server_name="desk.test"))).startswith("token-")
        assert "certificate is not accepted" in login_at(url, "127.0.0.1", Tls(ca_file=ca_file)).text


def test_what_the_plan_trusts_of_its_endpoint_it_trusts_of_no_other_host(secure_desk):
    with secure_desk("127.0.0.1") as (url, ca_file):
        for tls in (Tls(insecure=True), Tls(ca_file=ca_file)):
            assert "certificate is not accepted" in login_at(url, "staging.test", tls).text


def through(proxy, url, tls=None):
    auth = LoginAuth(url=url, token_path="data.token", timeout_s=5.0)
    return Access(
        Endpoint(url="wss://127.0.0.1:1/", proxy=proxy, tls=tls or Tls(), auth=auth), "n1", 100, http=HttpClient
    )


def test_a_login_goes_through_the_proxy_which_finds_its_host(desk, monkeypatch):
    monkeypatch.setenv("P_USER", "me")
    monkeypatch.setenv("P_PASS", "s3cret")
    way = through(f"http://${{P_USER}}:${{P_PASS}}@127.0.0.1:{desk.server_address[1]}", "http://login.test/token")
    with contextlib.closing(way):
        assert token(told(way, 0)[0]) == "token-1"
    _, target, headers, _ = desk.asked[0]
    assert target == "http://login.test/token"
    assert headers["Host"] == "login.test"
    assert headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"me:s3cret").decode()


def test_a_login_by_https_goes_through_a_tunnel_that_the_proxy_may_refuse(secure_desk, monkeypatch):
    monkeypatch.setenv("P_USER", "me")
    with secure_desk("127.0.0.1") as (url, ca_file), Relay(login=base64.b64encode(b"me:right")) as relay:
        proxy = f"http://${{P_USER}}:${{P_PASS}}@127.0.0.1:{relay.port}"
        for password, expected in (("wrong", (Outcome.REJECTED, 407)), ("right", None)):
            monkeypatch.setenv("P_PASS", password)
            with contextlib.closing(through(proxy, url, Tls(ca_file=ca_file))) as way:
                (found,) = told(way, 0)
                if expected is None:
                    assert token(found) == "token-1"
                else:
                    assert found[:2] == expected
                    assert "407" in found.text
        assert [head.split()[0] for head in relay.asked] == [b"CONNECT", b"CONNECT"]


def test_who_opens_never_waits(desk, enter):
    gate = threading.Event()
    desk.answer = lambda n, asked: (gate.wait(20), (200, {"data": {"token": "t" * 8}}))[1]
    way, heard = enter(), []
    way.admit(0, 0, heard.append)
    assert heard == []
    gate.set()
    assert token(told(way, 0)[0]) == "tttttttt"
    assert len(heard) == 1


def test_what_a_session_goes_on_with_runs_in_the_hub(desk, enter):
    heard = []
    way = enter()
    way.admit(0, 0, lambda entry: heard.append(gevent.getcurrent() is gevent.get_hub()))
    told(way, 0)
    assert heard == [True]


def test_at_most_so_many_log_in_at_once_and_everybody_gets_a_turn(desk, enter):
    desk.answer = lambda n, asked: (time.sleep(0.02), (200, {"data": {"token": f"token-{n}"}}))[1]
    assert len({token(entry) for entry in told(enter(at_once=3), *range(20))}) == 20
    assert 1 < desk.most <= 3


def test_a_login_that_is_wanted_as_the_last_one_ends_is_carried_out_too(enter):
    way, heard = enter(at_once=1), []

    def and_the_next(entry):
        heard.append(token(entry))
        if len(heard) < 3:  # the worker has left its loop and not yet died
            way.admit(len(heard), 0, and_the_next)

    way.admit(0, 0, and_the_next)
    until(lambda: len(heard) == 3, sleep=gevent.sleep)
    assert heard == ["token-1", "token-2", "token-3"]


def test_one_login_serves_all_when_the_plan_says_so(desk, enter):
    entries = told(enter(per="run", body={"user": "all"}), *range(10))
    assert {token(entry) for entry in entries} == {"token-1"}
    assert len(desk.asked) == 1


def test_a_token_is_renewed_shortly_before_it_runs_out(desk, enter):
    desk.answer = lambda n, asked: (200, {"data": {"token": f"token-{n}"}, "life": 31 if n == 1 else 3600})
    way = enter(expires_in_path="life", refresh_before_s=30.0)
    assert token(told(way, 0)[0]) == "token-1"
    way._provider._kept[0].expires_s -= 2  # two seconds later
    assert token(told(way, 0)[0]) == "token-2"
    assert token(told(way, 0)[0]) == "token-2"


def test_a_jwt_runs_out_when_it_says_itself(desk, enter):
    made = [jwt.encode({"exp": int(time.time()) + life, "n": life}, "k" * 32) for life in (20, 3600)]
    desk.answer = lambda n, asked: (200, {"data": {"token": made[min(n, 2) - 1]}})
    way = enter()
    assert [token(told(way, 0)[0]) for _ in range(3)] == [made[0], made[1], made[1]]


@pytest.mark.parametrize(("life", "least", "most"), [(3600, 3560, 3570), (20, 1, 10), (-5, 0, 0)])
def test_a_token_in_use_is_renewed_in_time_but_a_short_lived_one_not_at_every_request(desk, enter, life, least, most):
    desk.answer = lambda n, asked: (200, {"data": {"token": f"token-{n}"}, "life": life})
    way = enter(expires_in_path="life", refresh_before_s=30.0)
    assert way.command_life_s(0, 0) == 0
    told(way, 0)
    assert least <= way.command_life_s(0, 0) <= most
    way.refused(0, 0, 401)
    assert way.command_life_s(0, 0) == 0


def test_a_refused_upgrade_makes_the_session_log_in_anew(desk, enter):
    way = enter(again_on=(401, 403))
    told(way, 0, 1)
    assert not way.refused(0, 0, 500)
    assert len(told(way, 0)) == 1
    assert len(desk.asked) == 2
    assert way.refused(0, 0, 403)
    assert token(told(way, 0)[0]) == "token-3"
    assert len(desk.asked) == 3


def test_who_hears_late_that_a_shared_token_is_no_good_does_not_undo_the_login_that_replaced_it(desk, enter):
    way = enter(per="run", body={"user": "all"})
    told(way, 0, 1, 2)
    assert way.refused(0, 0, 401)
    told(way, 0, conn=1)
    assert way.refused(1, 0, 401)  # worth another try, with what 0 has got
    assert [token(entry) for entry in told(way, 1, 2, conn=1)] == ["token-2", "token-2"]
    assert len(desk.asked) == 2


def test_a_form_a_get_headers_and_a_path_are_sent_as_told(desk, enter, monkeypatch):
    monkeypatch.setenv("LOGIN_KEY", "key-4711")
    told(enter(body=None, form={"user": "u {session}", "pass": "${LOGIN_KEY}"}, headers={"X-K": "${LOGIN_KEY}"}), 5)
    method, path, headers, body = desk.asked[0]
    assert (method, path, headers["X-K"]) == ("POST", "/login", "key-4711")
    assert parse_qs(body) == {"user": ["u 5"], "pass": ["key-4711"]}
    told(enter(body=None, method="GET", url=f"{desk.url}/{{session}}?a=1"), 6)
    assert desk.asked[1][:2] == ("GET", "/login/6?a=1")


@pytest.mark.parametrize(
    ("answer", "outcome", "code", "text"),
    [
        ((403, {"no": "u0 with key-4711"}), Outcome.REJECTED, 403, "login: HTTP 403"),
        ((302, b""), Outcome.REJECTED, 302, "login: HTTP 302"),
        ((200, b"<html>"), Outcome.GARBLED, 200, "login: the answer is not JSON"),
        ((200, {"data": {}}), Outcome.GARBLED, 200, 'at token_path = "data.token"'),
        ((200, {"data": {"token": "a\nb"}}), Outcome.GARBLED, 200, 'at token_path = "data.token"'),
        ((200, {"data": {"token": "t"}, "life": "x"}), Outcome.GARBLED, 200, 'at expires_in_path = "life"'),
        ((None, b""), Outcome.CLOSED, 0, "login: the connection ended before an answer"),
    ],
)  # fmt: skip
def test_a_login_that_fails_is_a_value_for_its_session_and_the_next_try_is_free(
    desk, enter, monkeypatch, answer, outcome, code, text
):
    monkeypatch.setenv("LOGIN_KEY", "key-4711")
    plain = desk.answer
    desk.answer = lambda n, asked: answer
    way = enter(expires_in_path="life", headers={"X-K": "${LOGIN_KEY}"})
    (found,) = told(way, 0)
    assert (found.outcome, found.code) == (outcome, code)
    assert text in found.text
    assert "key-4711" not in str(found)
    desk.answer = plain
    assert token(told(way, 0)[0]).startswith("token-")


@pytest.mark.parametrize("how", ["body", "form"])
def test_a_refusal_that_echoes_the_login_does_not_show_the_password(desk, enter, monkeypatch, how):
    monkeypatch.setenv("LOGIN_PASSWORD", 'grün "a+b"  \\ c/d')
    desk.answer = lambda n, asked: (400, f"what is {asked}?".encode())
    (denied,) = told(enter(**{"body": None, how: {"user": "u", "p": "${LOGIN_PASSWORD}"}}), 0)
    assert denied.body == {"body": 'what is {"user":"u","p":"***"}?', "form": "what is user=u&p=***?"}[how]


def test_a_desk_that_is_not_there_and_one_that_never_answers_are_values_too(desk, enter):
    gate = threading.Event()
    desk.answer = lambda n, asked: (gate.wait(20), (200, {}))[1]
    (found,) = told(enter(timeout_s=0.1), 0)
    gate.set()
    assert (found.outcome, found.text) == (Outcome.EXPIRED, "login: no answer within 0.1 s")
    (found,) = told(enter(url="http://127.0.0.1:1/login"), 0)
    assert found.outcome is Outcome.CLOSED
    assert "ECONNREFUSED" in found.text


def test_a_desk_that_wants_to_be_left_alone_says_for_how_long(desk, enter):
    desk.answer = lambda n, asked: (429, {})
    (denied,) = told(enter(), 0)
    assert (denied.code, denied.retry_after) == (429, "7")
    desk.answer = lambda n, asked: (503, {})
    assert told(enter(), 0)[0].retry_after == ""


def test_every_login_is_witnessed(desk, enter):
    seen = []
    way = enter(witness=lambda whose, outcome, code, *times: seen.append((whose.session, outcome, code, times)))
    told(way, 4)
    desk.answer = lambda n, asked: (429, {})
    told(way, 5)
    assert [row[:3] for row in seen] == [(4, Outcome.OK, 0), (5, Outcome.REJECTED, 429)]
    assert all(due <= began < ended for *_, (due, began, ended) in seen)


def test_who_still_waits_at_the_end_is_told_so(desk, enter):
    gate = threading.Event()
    desk.answer = lambda n, asked: (gate.wait(20), (200, {}))[1]
    way, heard = enter(at_once=1), []
    for session in range(3):
        way.admit(session, 0, heard.append)
    gevent.sleep(0.05)
    way.close()
    gate.set()
    assert [found.outcome for found in heard] == [Outcome.ABANDONED] * 3


def test_one_who_can_wait_hears_a_refusal_as_a_failure_of_the_run(desk, enter):
    assert token(enter().entry(0, 0)) == "token-1"
    desk.answer = lambda n, asked: (403, {"sorry": "no"})
    with pytest.raises(RunFailed, match=r'endpoint.auth: login: HTTP 403: \{"sorry": "no"\}; check endpoint.auth'):
        enter().entry(0, 0)


def test_a_url_that_the_environment_made_no_url_is_told(monkeypatch):
    monkeypatch.setenv("LOGIN_URL", "ftp://h/x")
    with pytest.raises(UsageError, match=r"endpoint.auth.url: .* is not a http url"):
        Access(Endpoint(url="ws://127.0.0.1:1/", auth=LoginAuth(url="${LOGIN_URL}")), "n1")


def test_a_path_is_taken_on_the_endpoints_own_origin(desk):
    auth = LoginAuth(url="/login?x=1", token_path="data.token")
    way = Access(Endpoint(url=desk.url.replace("http", "ws") + "/ws", auth=auth), "n1", http=HttpClient)
    assert token(way.entry(0, 0)) == "token-1"
    assert desk.asked[0][1] == "/login?x=1"
    way.close()
