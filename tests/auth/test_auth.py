import base64
import csv
import json
import time

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from websockets.uri import parse_uri

from harness.auth import Access, Redaction
from harness.auth.templates import expand_all
from harness.errors import PlanError, UsageError
from harness.placeholders import fill
from harness.plan import Endpoint, JwtAuth, LoginAuth, NoAuth, TokenAuth, TokensAuth, build_plan
from harness.plan.auth import mask_auth
from harness.transport.http_client import HttpClient

SECRET = "s" * 32
KEYS = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def access(sessions=1, **fields):
    return Access(Endpoint(url=fields.pop("url", "ws://h:1/p"), **fields), "n1", sessions, http=HttpClient)


def bearer(way, session=0, conn=0):
    return way.entry(session, conn).headers["Authorization"].removeprefix("Bearer ")


def pem(key):
    kind = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setenv("SQUALL_JWT_SECRET", SECRET)


# -- templates ----------------------------------------------------------------------------------------------------


def test_templates_name_the_connection():
    entry = access(url="ws://h:1/p?name={key}", headers={"X-Client": "{session}/{conn}"}).entry(3, 2)
    assert entry.uri.resource_name == "/p?name=n1-3-2"
    assert entry.headers == {"X-Client": "3/2"}


def test_a_room_is_encoded_in_a_url_and_plain_elsewhere():
    way = Access(
        Endpoint(url="ws://h:1/{room}/x", query={"r": "<{room}>"}, headers={"X-Room": "{room}"}), "n1", 3,
        room_of=lambda session: f"a/b {session}",
    )  # fmt: skip
    entry = way.entry(2, 0)
    assert entry.uri.resource_name == "/a%2Fb%202/x?r=%3Ca%2Fb%202%3E"
    assert entry.headers == {"X-Room": "a/b 2"}


def test_braces_are_kept_by_doubling_them_and_in_what_the_environment_gave(monkeypatch):
    monkeypatch.setenv("GIVEN", "{session}{{key}}")
    way = access(url="ws://h:1/p", query={"q": "{{key}}"}, headers={"X": "${GIVEN}/{{conn}}"})
    entry = way.entry(3, 2)
    assert entry.uri.resource_name == "/p?q=%7Bkey%7D"
    assert entry.headers == {"X": "{session}{{key}}/{conn}"}


@pytest.mark.parametrize(
    "url",
    [
        "ws://h:1/a/{session}?x={key}&y=%20{conn}",
        "wss://[::1]/?q={key}?b",
        "ws://u:p%40@h/{key}",
        "ws://h?c={key}",
        "ws://h/ü/{key}",
        "ws://{session}.h:1/{key}",
    ],
)
def test_a_url_is_taken_apart_as_the_library_does(url):
    entry = access(url=url).entry(3, 2)
    assert entry.uri == parse_uri(fill(url, {"session": "3", "conn": "2", "key": "n1-3-2"}))


@pytest.mark.parametrize("url", ["ws://h/#here", "ws://h:port/", "ws://user@h/", "ws://[::1/"])
def test_a_url_that_is_none_is_told_in_one_line(url):
    with pytest.raises((UsageError, PlanError), match=r"endpoint\.url"):
        access(url=url)


def test_other_braces_stay():
    assert fill('{"a": {key}}', {"key": "k"}) == '{"a": k}'


def test_templates_reach_into_plain_data(monkeypatch):
    monkeypatch.setenv("PIN", "4711x")
    found = expand_all({"a": ["${PIN}", 1], "b": {"c": "x${PIN}"}}, "w")
    assert found == {"a": ["4711x", 1], "b": {"c": "x4711x"}}


def test_a_missing_variable_is_named():
    with pytest.raises(UsageError, match=r"endpoint\.headers\.X wants the environment variable NOT_SET_HERE"):
        access(headers={"X": "${NOT_SET_HERE}"})
    with pytest.raises(UsageError, match="SQUALL_TOKEN"):
        access(auth=TokenAuth())


# -- where the token stands ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("placed", "where", "value"),
    [
        ({}, "Authorization", "Bearer a+b"),
        ({"scheme": ""}, "Authorization", "a+b"),
        ({"name": "X-Api-Key", "scheme": ""}, "X-Api-Key", "a+b"),
        ({"scheme": "Token"}, "Authorization", "Token a+b"),
        ({"via": "cookie", "name": "sid"}, "Cookie", "theme=dark; sid=a+b"),
        ({"via": "query"}, "query", "v=1&token=a%2Bb"),
        ({"via": "query", "name": "access_token"}, "query", "v=1&access_token=a%2Bb"),
        ({"via": "subprotocol"}, "subprotocols", ("chat", "bearer", "a+b")),
        ({"via": "subprotocol", "name": "auth.bearer"}, "subprotocols", ("chat", "auth.bearer", "a+b")),
    ],
)
def test_a_token_stands_where_the_plan_wants_it_and_nowhere_else(monkeypatch, placed, where, value):
    monkeypatch.setenv("SQUALL_TOKEN", "a+b")
    headers = {"Cookie": "theme=dark"} if placed.get("via") == "cookie" else {}
    way = access(url="ws://h:1/p?v=1", headers=headers, subprotocols=("chat",), auth=TokenAuth(**placed))
    entry = way.entry(0, 0)
    found = {"query": entry.uri.query, "subprotocols": entry.subprotocols} | entry.headers
    assert found[where] == value
    rest = {"query": "v=1", "subprotocols": ("chat",)} | found | {where: None}
    assert "a+b" not in str(rest)
    assert "a%2Bb" not in str(rest)


def test_a_header_of_the_plan_itself_is_left_alone(monkeypatch):
    monkeypatch.setenv("SQUALL_TOKEN", "tttt")
    assert access(headers={"Authorization": "Basic x"}, auth=TokenAuth()).entry(0, 0).headers == {
        "Authorization": "Basic x"
    }


def test_a_command_bears_the_token_in_a_header_wherever_the_connection_has_it(monkeypatch):
    monkeypatch.setenv("SQUALL_TOKEN", "tttt")
    way = access(headers={"X": "{session}"}, auth=TokenAuth(via="query"))
    assert way.command(3, 0) == {"X": "3", "Authorization": "Bearer tttt"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: TokenAuth(via="query", scheme="Token"), "scheme"),
        (lambda: TokenAuth(name="X Y"), "cannot be the name"),
        (lambda: TokenAuth(token_env="A", token_file="b"), "token_env and token_file"),
        (lambda: JwtAuth(secret_env="A", secret_file="b"), "secret_env and secret_file"),
        (lambda: JwtAuth(per="run", claims={"sub": ["{session}"]}), r"claims has \{session\}"),
        (lambda: JwtAuth(per="session", claims={"sub": "{conn}"}), r"claims has \{conn\}"),
        (lambda: LoginAuth(url="/login", per="run", body={"user": "u{session}"}), r"has \{session\}"),
        (lambda: LoginAuth(url="/login", body={}, form={}), "not both"),
        (lambda: LoginAuth(url="login"), "neither http"),
    ],
)
def test_a_contradiction_in_the_plan_is_told(wrong, said):
    with pytest.raises(PlanError, match=said):
        wrong()


def test_a_key_of_another_kind_is_unknown_and_the_nearest_right_one_is_named():
    with pytest.raises(PlanError, match=r'unknown key "endpoint.auth.secret_env"; did you mean "token_env"'):
        build_plan({"endpoint": {"auth": {"kind": "token", "secret_env": "A"}}})
    with pytest.raises(PlanError, match=r'unknown key "observe.auth.claim"; did you mean "claims"'):
        build_plan({"observe": {"auth": {"kind": "jwt", "claim": {}}}})
    with pytest.raises(PlanError, match=r'unknown key "endpoint.auth.via"; known keys: kind'):
        build_plan({"endpoint": {"auth": {"kind": "none", "via": "query"}}})


def test_a_wrong_kind_is_told_with_the_nearest_right_one():
    with pytest.raises(PlanError, match=r'endpoint.auth.kind: there is no "jtw"; did you mean "jwt"'):
        build_plan({"endpoint": {"auth": {"kind": "jtw"}}})
    with pytest.raises(PlanError, match=r"endpoint.auth.kind: say which: jwt, login, none, token, tokens"):
        build_plan({"endpoint": {"auth": {"token_env": "A"}}})


# -- given --------------------------------------------------------------------------------------------------------


def test_one_token_may_stand_in_a_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("tok-1\n")
    assert bearer(access(auth=TokenAuth(token_file=str(file)))) == "tok-1"


def test_every_session_has_the_token_of_its_line(tmp_path):
    file = tmp_path / "tokens.txt"
    file.write_text("t,0\n\n t1 \nt2\n")
    way = access(3, auth=TokensAuth(file=str(file)))
    assert [bearer(way, session) for session in range(3)] == ["t,0", "t1", "t2"]


@pytest.mark.parametrize(("column", "begin"), [("token", 0), (2, 1)])
def test_a_column_is_chosen_by_name_or_by_number(tmp_path, column, begin):
    file = tmp_path / "tokens.csv"
    with file.open("w", newline="") as stream:
        lines = [["user", "token"], ["a", "t0"], ["b, c", "t1"]]
        csv.writer(stream).writerows(lines[begin:])
    way = access(2, auth=TokensAuth(file=str(file), column=column))
    assert [bearer(way, session) for session in range(2)] == ["t0", "t1"]


def test_sessions_share_tokens_when_the_plan_lets_them(tmp_path):
    file = tmp_path / "tokens.txt"
    file.write_text("t0\nt1\n")
    way = access(3, auth=TokensAuth(file=str(file), reuse=True))
    assert [bearer(way, session) for session in range(3)] == ["t0", "t1", "t0"]


@pytest.mark.parametrize(
    ("content", "fields", "said"),
    [
        ("t0\nt1\n", {}, r"tokens.csv\" holds 2 tokens for 3 sessions"),
        ("", {}, "holds no token"),
        ("user,tok\na,b\n", {"column": "token"}, r'has no column "token"; it has: user, tok'),
        ("", {"column": "token"}, "it is empty"),
        ("a,b\nc\n", {"column": 2}, "row 2 .* has no token in column 2"),
        ("t0\nt\x01\nt2\n", {}, "token 2 .*printable ASCII"),
        ("t0\ntö\nt2\n", {}, "token 2 .*printable ASCII"),
        (None, {}, "cannot read .*No such file"),
        (b"\xff\xfe\x00", {}, "is not text"),
    ],
)
def test_a_file_that_cannot_serve_is_told_before_the_run_without_a_token_in_the_text(tmp_path, content, fields, said):
    file = tmp_path / "tokens.csv"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=said) as told:
        access(3, auth=TokensAuth(file=str(file), **fields))
    assert "t0" not in str(told.value)
    assert "\n" not in str(told.value)


# -- minted -------------------------------------------------------------------------------------------------------


def test_a_jwt_is_minted_for_each_session_with_its_claims(secret):
    auth = JwtAuth(claims={"sub": "u{session}", "roles": ["member", "c{conn}"], "aud": "app"}, kid="k1", ttl_s=60)
    token = bearer(access(auth=auth), 7, 2)
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="app")
    assert (claims["sub"], claims["roles"]) == ("u7", ["member", "c2"])
    assert claims["exp"] - claims["iat"] == 60
    assert jwt.get_unverified_header(token)["kid"] == "k1"


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_private_key_signs_what_its_public_half_verifies(tmp_path, algorithm):
    key = KEYS[algorithm]()
    file = tmp_path / "key.pem"
    file.write_text(pem(key))
    token = bearer(access(auth=JwtAuth(algorithm=algorithm, secret_file=str(file), claims={"sub": "u"})))
    assert jwt.decode(token, key.public_key(), algorithms=[algorithm], audience="squall")["sub"] == "u"


@pytest.mark.parametrize(
    ("algorithm", "content", "said"),
    [
        ("RS256", "just a secret", "does not hold a private key as PEM, which RS256 needs"),
        ("RS256", pem(ed25519.Ed25519PrivateKey.generate()), "cannot sign with RS256"),
        ("ES256", pem(ec.generate_private_key(ec.SECP384R1())), "cannot sign with ES256"),
        ("EdDSA", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "cannot sign with EdDSA"),
        ("HS256", pem(ed25519.Ed25519PrivateKey.generate()), "cannot sign with HS256"),
    ],
)
def test_a_key_that_cannot_sign_is_told_before_the_run_and_not_repeated(tmp_path, algorithm, content, said):
    file = tmp_path / "key.pem"
    file.write_text(content)
    with pytest.raises(UsageError, match=said) as told:
        access(auth=JwtAuth(algorithm=algorithm, secret_file=str(file)))
    assert content.splitlines()[-1] not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_kept_token_serves_until_shortly_before_it_expires(secret, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    each = access(auth=JwtAuth(claims={"jti": "{conn}"}))
    kept = access(auth=JwtAuth(claims={"sub": "{session}"}, per="session", ttl_s=100, refresh_before_s=10))
    assert bearer(each, 1, 0) != bearer(each, 1, 1)
    first = bearer(kept, 1, 0)
    now[0] += 89
    assert bearer(kept, 1, 1) == first
    assert bearer(kept, 2, 0) != first
    now[0] += 2
    renewed = bearer(kept, 1, 2)
    assert jwt.decode(renewed, options={"verify_signature": False})["exp"] == 1000 + 91 + 100


# -- what is never written down -----------------------------------------------------------------------------------


def test_a_minted_token_may_be_used_until_it_would_be_minted_anew(secret):
    assert access(auth=JwtAuth()).command_life_s(0, 0) == 3570
    assert access(auth=JwtAuth(ttl_s=30)).command_life_s(0, 0) == 15
    way = access(auth=JwtAuth(ttl_s=50, per="session"))
    assert way.command_life_s(0, 0) == 0
    way.command(0, 0)
    assert 0 < way.command_life_s(0, 0) <= 20
    way = access(auth=JwtAuth(ttl_s=20, per="run"))
    way.command(0, 0)
    assert way.command_life_s(0, 0) == 0


def test_what_looks_like_a_token_is_concealed(monkeypatch):
    monkeypatch.setenv("SQUALL_TOKEN", "hunter2hunter2")
    way = access(auth=TokenAuth())
    token = jwt.encode({"a": 1}, SECRET)
    assert way.conceal(f"bad hunter2hunter2 and {token}!") == "bad *** and ***!"


def test_every_token_of_a_file_is_concealed_also_in_a_url_and_inside_another_word(tmp_path):
    file = tmp_path / "tokens.txt"
    file.write_text("".join(f"tok/{number:05}/x\n" for number in range(10_000)))
    way = access(10_000, auth=TokensAuth(file=str(file)))
    assert way.conceal("no: tok/09999/x, xtok/00001/xy, ?t=tok%2F00002%2Fx, tok/10000/x") == (
        "no: ***, x***y, ?t=***, tok/10000/x"
    )


def test_a_secret_is_concealed_however_an_endpoint_spells_it():
    redaction = Redaction()
    redaction.add('ü "1"')
    told = ['ü "1"', "%C3%BC%20%221%22", "%C3%BC+%221%22", 'ü \\"1\\"', '\\u00fc \\"1\\"']
    assert [redaction.conceal(f"<{text}>") for text in told] == ["<***>"] * 5
    redaction.forget('ü "1"')
    assert redaction.conceal(told[4]) == told[4]


def test_the_longest_of_two_secrets_with_one_beginning_is_taken_whole():
    redaction = Redaction()
    redaction.add("abcdef")
    redaction.add("abcd")
    assert redaction.conceal("abcdefg abcdx") == "***g ***x"
    redaction.forget("abcdef")
    assert redaction.conceal("abcdef") == "***ef"


def test_a_secret_that_was_cut_short_at_the_end_of_a_text_is_concealed():
    redaction = Redaction()
    redaction.add("hunter2hunter2")
    assert redaction.conceal("no: hunter2hun") == "no: ***"
    assert redaction.conceal("no: hunter2hun!") == "no: hunter2hun!"
    token = jwt.encode({"a": 1}, SECRET)
    assert Redaction().conceal(f"no: {token[:30]}") == "no: ***"


@given(st.lists(st.text("abc", min_size=4, max_size=8), max_size=12), st.text("abc", max_size=30), st.integers(0, 12))
def test_concealing_leaves_no_secret_and_takes_nothing_else(secrets, text, forgotten):
    redaction = Redaction()
    for secret in secrets:
        redaction.add(secret)
    for secret in secrets[:forgotten]:
        redaction.forget(secret)
    known = set(secrets) - set(secrets[:forgotten])
    left = redaction.conceal(text)
    assert not any(secret in left for secret in known)
    # The plain way to say the same: at each place the longest secret, or what the text ends with of one.
    expected, at = "", 0
    while at < len(text):
        rest = text[at:]
        cut = len(rest) if len(rest) >= 4 and any(secret.startswith(rest) for secret in known) else 0
        length = cut or max((len(secret) for secret in known if rest.startswith(secret)), default=0)
        expected, at = (expected + "***", at + length) if length else (expected + text[at], at + 1)
    assert left == expected


def test_nothing_that_holds_a_secret_shows_it(secret, tmp_path, monkeypatch):
    monkeypatch.setenv("SQUALL_TOKEN", "hunter2hunter2")
    file = tmp_path / "tokens.txt"
    file.write_text("hunter3hunter3\n")
    given = (TokenAuth(via="query"), TokensAuth(file=str(file), via="subprotocol"), JwtAuth())
    for auth in (*given, LoginAuth(url="/l", headers={"X": "${SQUALL_TOKEN}"})):
        way = access(auth=auth)
        shown = f"{way!r} {way.redaction!r} {way._provider!r} {[way.entry(0, 0)] if auth in given else []!r}"
        assert not any(word in shown for word in (SECRET, "hunter", "eyJ"))


def test_a_login_is_masked_where_it_sounds_secret():
    auth = LoginAuth(
        url="http://h/login?api_key=1234",
        headers={"X-Api-Key": "abc", "X-Kind": "load"},
        body={"user": "u{session}", "password": "hunter2", "inner": {"pass_word": 1, "secret": "${S}"}},
    )
    masked = mask_auth(msgspec.to_builtins(auth))
    assert masked["url"] == "http://h/login?api_key=***"
    assert masked["headers"] == {"X-Api-Key": "***", "X-Kind": "load"}
    assert masked["body"] == {
        "user": "u{session}", "password": "***", "inner": {"pass_word": 1, "secret": "${S}"},
    }  # fmt: skip
    assert mask_auth(msgspec.to_builtins(NoAuth())) == {"kind": "none"}


def test_a_plan_copy_holds_no_inline_password_either():
    login = {"kind": "login", "url": "/login", "form": {"user": "a", "password": "hunter2"}}
    plan = build_plan({"endpoint": {"url": "ws://127.0.0.1:1/", "auth": login}, "observe": {"auth": login}})
    assert "hunter2" not in json.dumps(plan.masked())
    assert base64.b64encode(b"hunter2").decode() not in json.dumps(plan.masked())
