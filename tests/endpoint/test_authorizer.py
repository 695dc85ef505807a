"""Who gets in by other ways than a shared secret: public keys, features, a function of the user's own."""

import asyncio
import subprocess
import sys
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from harness.endpoint.authorizer import Handshake, custom
from harness.endpoint.refusal import Refused
from tests.endpoint import hooks

pytestmark = pytest.mark.slow(reason="starts a server for each way of authorising")

KEYS = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def status(url, token):
    with pytest.raises(InvalidStatus) as caught, connect(f"{url}?token={token}"):
        pass
    return caught.value.response.status_code


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_signed_for_the_public_key_is_taken_and_any_other_is_401(serving, tmp_path, algorithm):
    key, other = KEYS[algorithm](), KEYS[algorithm]()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(public)
    claims = {"sub": "ann", "aud": "squall", "exp": int(time.time()) + 600, "roles": ["member"]}
    with serving("--public-key", str(tmp_path / "key.pem")) as endpoint:
        with connect(f"{endpoint.url}?token={jwt.encode(claims, key, algorithm=algorithm)}"):
            pass
        assert status(endpoint.url, jwt.encode(claims, other, algorithm=algorithm)) == 401
        assert status(endpoint.url, endpoint.token()) == 401  # HS256
        assert status(endpoint.url, jwt.encode(claims, None, algorithm="none")) == 401


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--public-key", "/nope.pem"), "cannot read the public key file /nope.pem: No such file or directory"),
        (("--public-key", __file__), "holds no PEM public key"),
        (("--authorizer", "no.such:thing"), "--authorizer no.such:thing: No module named"),
        (("--authorizer", "tests.endpoint.hooks:nothing"), "has no attribute 'nothing'"),
        (("--authorizer", "tests.endpoint.hooks:NOT_A_FUNCTION"), "give module:function"),
        (("--enricher", "tests.endpoint.hooks"), "give module:function"),
        (("--require-feature", "dance=x"), "give ACTION=FEATURE"),
        (("--route", "x=dance"), "give KEY=ACTION"),
        (("--route-selection", "action"), "name at least one variable"),
        (("--route-selection", "$request.header.x/$request.body.action"), "a $ begins"),
        (("--slow-consumer", "wait"), "give one of close-1013, close-1008, drop-oldest"),
        (("--processes", "2"), "several processes need --store redis://"),
        (("--store", "redis://127.0.0.1:1/0"), "cannot use the store redis://127.0.0.1:1/0: "),
        (("--log-level", "loud"), "give one of debug, info, warning, error"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_one_line_that_says_why(options, said):
    command = [sys.executable, "-m", "harness.endpoint", "serve", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    lines = [line for line in ended.stderr.splitlines() if "the secret for tokens" not in line]
    assert ended.returncode == 2 and len(lines) == 1 and said in lines[0], ended.stderr


def test_a_custom_authoriser_decides_and_its_own_failures_are_502(serving):
    with serving("--authorizer", "tests.endpoint.hooks:authorize") as endpoint:
        with connect(f"{endpoint.url}?token=user:ann&tenant=t7") as ann:
            ann.send('{"version":"1.0","action":"joinRoom","requestId":"j","roomId":"tenant:t7:r","timestamp":1}')
            assert '"ack"' in ann.recv(10)  # the tenant that the function said
        with pytest.raises(InvalidStatus) as caught, connect(endpoint.url):
            pass
        assert caught.value.response.status_code == 401
        assert {word: status(endpoint.url, word) for word in ("other", "forbid", "crash", "nonsense")} == {
            "other": 403,
            "forbid": 403,
            "crash": 502,
            "nonsense": 502,
        }
        assert "RuntimeError('it broke')" in endpoint.log and "not you" not in caught.value.response.body.decode()


def test_an_authoriser_that_takes_too_long_is_502(monkeypatch):
    async def slow(_handshake):
        await asyncio.sleep(60)

    monkeypatch.setattr(hooks, "authorize", slow)
    authorize = custom("tests.endpoint.hooks:authorize", timeout_s=0.01)
    with pytest.raises(Refused) as caught:
        asyncio.run(authorize(Handshake("x", {}, {}, "")))
    assert caught.value.code == 502


def test_an_action_behind_a_feature_is_403_without_it(serving):
    with serving("--require-feature", "sendMessage=speaking") as endpoint:
        with endpoint.client() as ann:
            ann.ask("joinRoom", "j")
            assert ann.ask("sendMessage", "m", text="x")["payload"] == {"code": 403, "message": "not switched on"}
        with endpoint.client(features=["speaking"]) as ann:
            ann.ask("joinRoom", "j")
            ann.send("sendMessage", "m", text="x")
            assert ann.until("m")[-1]["action"] == "ack"


def test_beyond_the_connect_rate_an_upgrade_is_429_and_says_when_to_come_again(serving):
    with serving("--connects-per-s", "0.1", "--connects-burst", "2") as endpoint:
        for _ in range(2):
            with endpoint.client():
                pass
        with pytest.raises(InvalidStatus) as caught, endpoint.client():
            pass
        assert caught.value.response.status_code == 429
        assert 1 <= int(caught.value.response.headers["Retry-After"]) <= 10
