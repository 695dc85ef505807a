import jwt
import pytest

from harness.access import Access, fill
from harness.errors import UsageError
from harness.plan import Auth, Endpoint

SECRET = "s" * 32


def access(**fields):
    return Access(Endpoint(url=fields.pop("url", "ws://h:1/p"), **fields), "n1")


def test_templates_name_the_connection():
    entry = access(url="ws://h:1/p?name={key}", headers={"X-Client": "{session}/{conn}"}).entry(3, 2)
    assert entry.uri.resource_name == "/p?name=n1-3-2"
    assert entry.headers == {"X-Client": "3/2"}


def test_other_braces_stay():
    assert fill('{"a": {key}}', {"key": "k"}) == '{"a": k}'


@pytest.mark.parametrize("via", ["header", "query", "subprotocol"])
def test_a_jwt_is_minted_for_each_session(via, monkeypatch):
    monkeypatch.setenv("SQUALL_JWT_SECRET", SECRET)
    auth = Auth(kind="jwt", claims={"sub": "u{session}", "roles": ["member"]}, via=via)
    entry = access(auth=auth).entry(7, 0)
    places = {
        "header": entry.headers.get("Authorization", "").removeprefix("Bearer "),
        "query": (entry.uri.query or "").removeprefix("token="),
        "subprotocol": entry.subprotocols[-1] if entry.subprotocols else "",
    }
    claims = jwt.decode(places[via], SECRET, algorithms=["HS256"], audience="squall")
    assert (claims["sub"], claims["roles"]) == ("u7", ["member"])
    assert [name for name, value in places.items() if value] == [via]


def test_a_missing_variable_is_named():
    with pytest.raises(UsageError, match=r"endpoint\.headers\.X wants the environment variable NOT_SET_HERE"):
        access(headers={"X": "${NOT_SET_HERE}"})
    with pytest.raises(UsageError, match="SQUALL_TOKEN"):
        access(auth=Auth(kind="token"))


def test_what_looks_like_a_token_is_concealed(monkeypatch):
    monkeypatch.setenv("SQUALL_TOKEN", "hunter2hunter2")
    way = access(auth=Auth(kind="token"))
    token = jwt.encode({"a": 1}, SECRET)
    assert way.conceal(f"bad hunter2hunter2 and {token}!") == "bad *** and ***!"
