"""Whole runs by other ways than plain TCP, and what is told when the way is barred."""

import base64
import socket
import ssl

import pytest

from tests.integration.relay import Relay
from tests.integration.test_bad_input import one_line
from tests.transport.authority import Authority

pytestmark = pytest.mark.slow(reason="whole runs through proxies and TLS")

SECRET = "a-secret-of-at-least-thirty-two-bytes"
PLAN = """
name = "ways"
[endpoint]
url = "{url}?client={{key}}"
auth = {{ kind = "jwt", claims = {{ sub = "user-{{session}}", tenant = "squall", roles = ["member"] }} }}
query = {{ from = "squall {{session}}" }}
cookies = {{ seen = "{{conn}}" }}
max_frame_bytes = 64
ping_every_s = 0.5
source_addresses = ["127.0.0.2", "127.0.0.8/29"]
{keys}
[contract]
stale_within_s = 12.0
[load]
sessions = 16
rooms = 2
rate_per_s = 2.0
ramp_s = 0.5
duration_s = 4.0
settle_s = 1.0
[observe]
url = "/connections"
every_s = 1.0
auth = {{ kind = "jwt", claims = {{ sub = "observer", tenant = "squall", roles = ["admin"] }} }}
{chaos}
"""
DROPS = "".join(
    f'[[chaos]]\nfault = "drop"\nhow = "{how}"\nat_s = 2.0\ncount = 2\n' for how in ("reset", "fin", "close", "stall")
)


@pytest.fixture
def served(squall):
    """A reference endpoint on its own; gives its port and what a run needs to know of it."""
    environment = {"SQUALL_JWT_SECRET": SECRET}
    process = squall.start("serve", env=environment)
    url = process.stdout.readline().strip()
    yield int(url.rpartition(":")[2].partition("/")[0]), environment
    process.terminate()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def tls(pair):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    return context


def write(squall, url, keys="", chaos=""):
    path = squall.out / "ways.toml"
    path.write_text(PLAN.format(url=url, keys=keys, chaos=chaos))
    return path


def test_a_run_over_tls_measures_as_one_without_and_its_drops_are_drops(squall, served, authority):
    port, environment = served
    with Relay(port, tls(authority.sign("127.0.0.1"))) as relay:
        keys = f'[endpoint.tls]\nca_file = "{authority.ca_file.name}"'  # beside the plan
        plan = write(squall, f"wss://127.0.0.1:{relay.port}/ws", keys, DROPS)
        run = squall.run(plan, env=environment)
    report = run.complete_report
    assert run.findings == {}
    assert report["ledger"]["all"]["lost"] == 0
    assert report["ledger"]["all"]["owed"] > 0
    assert report["fitness"]["stamps"]["source"] == "kernel"
    assert report["fitness"]["stamps"]["exact"] > 0.5
    assert report["figures"]["pong"]["all"]["count"] > 50
    assert sum(way["dropped"] for way in report["stale"]["by_method"].values()) == 8


def test_a_run_through_a_proxy_shows_its_credentials_to_the_proxy_and_to_nobody_else(squall, served):
    port, environment = served
    password = "proxy-pass-0123456789"
    login = base64.b64encode(f"me:{password}".encode())
    with Relay(login=login) as relay:
        keys = f'proxy = "http://${{P_USER}}:${{P_PASS}}@127.0.0.1:{relay.port}"'
        plan = write(squall, f"ws://127.0.0.1:{port}/ws", keys)
        run = squall.run(plan, env=environment | {"P_USER": "me", "P_PASS": password})
        refused = squall.run(plan, env=environment | {"P_USER": "me", "P_PASS": "wrong-password"})
    assert run.complete_report["ledger"]["all"]["owed"] > 0
    assert run.findings == {}
    assert len(relay.asked) >= 16
    assert relay.asked[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % port)
    for file in run.path.iterdir():
        data = file.read_bytes()
        assert password.encode() not in data
        assert login not in data
    one_line(refused, 3, "the proxy refused: HTTP 407", "endpoint.proxy")


@pytest.mark.parametrize(
    ("name", "ends_days", "trusted", "said"),
    [
        ("127.0.0.1", 30, False, "certificate is not accepted: unable to get local issuer"),
        ("127.0.0.1", -1, True, "certificate is not accepted: certificate has expired"),
        ("other.test", 30, True, "IP address mismatch"),
    ],
)
def test_a_certificate_that_does_not_hold_is_told_before_the_run(squall, authority, name, ends_days, trusted, said):
    with Relay(9, tls(authority.sign(name, begins_days=-9, ends_days=ends_days))) as relay:
        settings = [f"endpoint.tls.ca_file={authority.ca_file}"] if trusted else []
        run = squall.run("--url", f"wss://127.0.0.1:{relay.port}/", *(f"--set={each}" for each in settings))
    one_line(run, 3, said)
    assert not (squall.out / "runs").exists()


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        (["endpoint.source_addresses=['192.0.2.1']"], 2, "192.0.2.1 is not an address of this machine"),
        (["endpoint.url=wss://127.0.0.1:9/", "endpoint.tls.ca_file=absent.pem"], 2, "cannot read"),
        (["endpoint.proxy=http://127.0.0.1:9"], 3, "Connection refused"),
        (["endpoint.proxy=http://me:secret@127.0.0.1:9"], 2, "keep credentials in the environment"),
        (["endpoint.proxy=http://${NOT_SET_HERE}@127.0.0.1:9"], 2, "NOT_SET_HERE"),
        (["endpoint.headers={X-A='${BROKEN}'}"], 2, "line break"),
    ],
)
def test_a_way_that_cannot_be_taken_is_told_in_one_line(squall, settings, code, said):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"endpoint.url=ws://127.0.0.1:{listener.getsockname()[1]}/"
        run = squall.run(*(f"--set={each}" for each in [url, *settings]), env={"BROKEN": "a\r\nB: c"})
    one_line(run, code, said)
    assert not (squall.out / "runs").exists()


@pytest.mark.parametrize("promised", [True, False])
def test_an_idle_limit_is_a_finding_unless_the_contract_names_it(squall, promised):
    settings = [
        "endpoint.serve={idle-timeout-s=1.5}", "load.sessions=6", "load.rooms=6", "load.rate_per_s=0.4",
        "load.ramp_s=0.3", "load.duration_s=4.0", "load.settle_s=0.5", "observe.every_s=5.0",
    ]  # fmt: skip
    if promised:
        settings.append("contract.idle_s=1.5")
    run = squall.run(*(f"--set={each}" for each in settings))
    closes = run.complete_report["closes"]
    if promised:
        assert run.findings == {}
        assert closes["expected"]["idle"] >= 6
    else:
        assert set(run.findings) == {"unexpected-close"}
        assert set(closes["unexpected"]) == {"endpoint 1001"}
