"""Whole runs with each provider against a server that repeats every token: none of them is anywhere afterwards."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

PASSWORD = "correct horse battery"
GIVEN = "given-0123456789abcdefghij"
SECRET = "shared-secret-of-at-least-32-bytes!"
PLAN = """
name = "guarded"
[endpoint]
url = "ws://127.0.0.1:{port}/ws?client={{key}}"
dialect = "json"
auth = {auth}
headers = {{ X-Api-Key = "${{GUARDED_KEY}}" }}
[endpoint.json]
publish = {{ id = "{{id}}", room = "{{room}}", text = "{{text}}" }}
[endpoint.json.ack]
match = {{ type = "ack" }}
id = "id"
[endpoint.json.error]
match = {{ type = "error" }}
id = "id"
code = "code"
reason = "why"
[endpoint.json.delivery]
match = {{ type = "none" }}
id = "id"
[contract]
delivers_to_sender = false
[load]
sessions = 6
rooms = 1
rate_per_s = 5.0
ramp_s = 0.5
duration_s = 2.5
settle_s = 0.5
"""


@pytest.fixture
def guarded():
    program = Path(__file__).with_name("guarded.py")
    process = subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"GUARDED_PASSWORD": PASSWORD},
    )  # fmt: skip
    yield int(process.stdout.readline())
    process.communicate("", timeout=20)


def seen_by(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/told", timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def files(tmp_path):
    key = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(key)
    rows = "".join(f"user{number},each-{number:03}-{'x' * 20}\n" for number in range(6))
    (tmp_path / "tokens.csv").write_text(f"user,token\n{rows}")
    return tmp_path


WAYS = {
    "token": '{ kind = "token", via = "query" }',
    "tokens": '{ kind = "tokens", file = "tokens.csv", column = "token", via = "cookie" }',
    "jwt": '{ kind = "jwt", claims = { sub = "u{session}" }, via = "subprotocol" }',
    "eddsa": '{ kind = "jwt", algorithm = "EdDSA", secret_file = "key.pem", kid = "k1", per = "session", '
    'claims = { sub = "u{session}" } }',
    "login": '{ kind = "login", url = "/login", token_path = "access_token", expires_in_path = "expires_in", '
    'body = { user = "u{session}", password = "${GUARDED_PASSWORD}", note = ["{session}"] } }',
}


@pytest.mark.parametrize("way", WAYS)
def test_no_secret_and_no_token_is_anywhere_after_a_run(squall, guarded, files, way):
    # The plan stands beside its files, elsewhere than where squall is started.
    plan = files / "plan" / "guarded.toml"
    plan.parent.mkdir()
    for file in ("key.pem", "tokens.csv"):
        (files / file).rename(plan.parent / file)
    plan.write_text(PLAN.format(port=guarded, auth=WAYS[way]))
    secrets = {
        "SQUALL_TOKEN": GIVEN,
        "SQUALL_JWT_SECRET": SECRET,
        "GUARDED_PASSWORD": PASSWORD,
        "GUARDED_KEY": "key-of-the-api",
    }
    # The dry run signs tokens of its own, which would be counted below; the other ways have it.
    run = squall.run(plan, *(["--no-check"] if way == "eddsa" else []), env=secrets)
    outcomes = run.complete_report["outcomes"]
    tokens = seen_by(guarded)
    # Kept for each session; the look before the run mints for itself.
    assert len(tokens) in {"token": {1}, "tokens": {6}, "eddsa": {6, 7}}.get(way, {len(tokens)})
    assert len(tokens) > (2 if way != "token" else 0)

    pem = (plan.parent / "key.pem").read_text().splitlines()[1]
    hidden = [*tokens, *secrets.values(), pem]
    places = {file.name: file.read_bytes() for file in run.path.iterdir()} | {
        "stdout": run.out.encode(), "stderr": run.err.encode(),
    }  # fmt: skip
    assert {"run.json", "report.json", "report.html", "seal.json"} <= set(places)
    for name, content in places.items():
        for secret in hidden:
            # A cut may leave a beginning of it: no more than a few letters may stay.
            assert secret[:12].encode() not in content, f"{name} holds {secret[:12]}..."

    # And it was all there to be written down: refusals, error texts and close reasons came, and logins that failed.
    evidence = [json.loads(line) for file in run.path.glob("evidence-*") for line in file.read_text().splitlines()]
    assert {"refused", "error", "closed"} <= {line["kind"] for line in evidence}
    assert "***" in json.dumps(evidence)
    assert outcomes["open"]["rejected"] >= 3
    assert outcomes["publish"]["ok"] > 0
    if way == "login":
        assert outcomes["login"]["rejected"] >= 1
        assert outcomes["login"]["ok"] >= 3
        assert run.report["figures"]["login"]["all"]["count"] == outcomes["login"]["ok"]


def test_a_token_file_shorter_than_the_sessions_is_told_before_the_run(squall, guarded, files):
    plan = files / "guarded.toml"
    plan.write_text(PLAN.format(port=guarded, auth=WAYS["tokens"]))
    run = squall.run(plan, "--sessions", 7, env={"GUARDED_KEY": "key-of-the-api"})
    assert run.code == 2
    assert run.err.count("\n") == 1
    assert 'tokens.csv" holds 6 tokens for 7 sessions' in run.err
    assert "each-" not in run.err
    assert not (squall.out / "runs").exists()
    assert seen_by(guarded) == []


def test_a_login_that_is_refused_at_all_is_told_before_the_run(squall, guarded, files):
    plan = files / "guarded.toml"
    plan.write_text(PLAN.format(port=guarded, auth=WAYS["login"]))
    run = squall.run(plan, env={"GUARDED_PASSWORD": "wrong-password", "GUARDED_KEY": "key-of-the-api"})
    assert run.code == 3
    assert run.err.count("\n") == 1
    assert "login: HTTP 403" in run.err
    assert "wrong-password" not in run.err


@pytest.mark.parametrize("way", ["HS256", "EdDSA"])
def test_a_run_on_the_embedded_endpoint_leaves_nothing_either(squall, tmp_path, way):
    key = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    signed = 'algorithm = "EdDSA", secret_file = "key.pem", ' if way == "EdDSA" else ""
    serve = f'serve = {{ public-key = "{tmp_path / "public.pem"}" }}' if way == "EdDSA" else ""
    claims = 'claims = { sub = "u{session}", tenant = "t", roles = ["%s"] }'
    plan = tmp_path / "plan.toml"
    plan.write_text(
        f"""
        [endpoint]
        {serve}
        auth = {{ kind = "jwt", {signed}{claims % "member"}, via = "query" }}
        [observe]
        url = "/connections"
        auth = {{ kind = "jwt", {signed}{claims % "admin"} }}
        [load]
        sessions = 6
        rooms = 2
        duration_s = 2.0
        settle_s = 0.5
        """
    )
    run = squall.run(plan, env={"SQUALL_JWT_SECRET": SECRET})
    outcomes = run.complete_report["outcomes"]
    assert outcomes["open"] == {"ok": 6}
    assert outcomes["look"]["ok"] > 0
    pem = (tmp_path / "key.pem").read_text().splitlines()[1]
    for file in run.path.iterdir():
        content = file.read_text(errors="replace")
        assert SECRET not in content
        assert pem not in content
        assert "eyJ" not in content, file.name
    assert "eyJ" not in run.out + run.err


PREPARES = """
import sys
from pathlib import Path
import locust  # first: it patches ssl
from harness.engine import preparation as running
from harness.plan import build_plan

class Embedded:
    def __init__(self, options): assert options["store"] == STORE
    def start(self): return "ws://127.0.0.1:1/"
    def stop(self): pass
    def keep_log(self, path): pass

STORE = "redis://user:hidden@127.0.0.1/0"
running.Embedded = Embedded
running.preflight = lambda *_: ((), [])
running.prepare(build_plan({"endpoint": {"serve": {"store": STORE}}}), Path(sys.argv[1])).finish("complete")
"""


def test_the_password_of_the_store_is_not_in_the_manifest(tmp_path):
    subprocess.run([sys.executable, "-c", PREPARES, str(tmp_path), "endpoint.query.key=hidden"], check=True, timeout=60)
    (manifest,) = tmp_path.glob("*/run.json")
    text = manifest.read_text()
    assert "hidden" not in text
    assert json.loads(text)["topology"]["serve"] == {"store": "redis://***@127.0.0.1/0"}
