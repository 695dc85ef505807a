"""The REST side against its OpenAPI document, by schemathesis: a public tool that generates the calls and judges the
answers (statuses, headers, bodies, malformed data refused, missing rights refused, methods that are not there).
"""

import json
import subprocess
import sys
import threading

import pytest
from websockets.exceptions import ConnectionClosed

from harness.endpoint.hub import Hub
from harness.endpoint.policies import honest_policies
from harness.endpoint.server import Server
from harness.endpoint.settings import Settings
from harness.endpoint.sqlite_store import SqliteStore
from tests.contracts.conftest import CONTRACTS
from tests.endpoint.conftest import SECRET

pytestmark = pytest.mark.slow(reason="hundreds of generated calls")

EXAMPLES = 15
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 410, 429]

[[operations]]
include-name = "POST /@connections/{{connectionId}}"
parameters = {{ "path.connectionId" = "{connection}" }}

[[operations]]
include-name = "GET /@connections/{{connectionId}}"
parameters = {{ "path.connectionId" = "{connection}" }}
"""


def without_waiting(document):
    """The document without what would make a call last: long polls here, the stream by an option of the tool."""
    parameters = document["paths"]["/rooms/{roomId}/messages"]["get"]["parameters"]
    parameters[:] = [parameter for parameter in parameters if parameter.get("name") != "wait"]
    return document


def run_tool(endpoint, document, *options, config=None):
    """Run schemathesis on a document, as member and admin."""
    token = endpoint.token("tester", roles=["member", "admin"])
    command = [sys.executable, "-m", "schemathesis.cli", *(("--config-file", str(config)) if config else ())]
    command += ["run", str(document), "--url", endpoint.http, "--header", f"Authorization: Bearer {token}", *options]
    command += [
        "--max-examples",
        str(EXAMPLES),
        "--seed",
        "1",
        "--generation-database",
        "none",
        "--continue-on-failure",
    ]
    return subprocess.run(command, cwd=document.parent, capture_output=True, text=True, timeout=110)


def test_schemathesis_finds_no_answer_that_the_openapi_document_does_not_promise(endpoint, tmp_path):
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(without_waiting(json.loads((CONTRACTS / "openapi.json").read_text()))))
    with endpoint.client(key="pushed") as pushed:
        received = []

        def hear():
            try:
                while True:
                    received.append(pushed.connection.recv())
            except ConnectionClosed:
                pass

        listener = threading.Thread(target=hear)
        listener.start()
        (item,) = endpoint.listed()
        config = tmp_path / "schemathesis.toml"
        config.write_text(CONFIG.format(connection=item["connectionId"]))
        ended = run_tool(
            endpoint,
            document,
            "--exclude-operation-id",
            "streamRoom",
            "--exclude-operation-id",
            "connect",
            config=config,
        )
        pushed.connection.close()
        listener.join()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "14 passed" in ended.stdout  # every operation but the two left out
    assert received  # the pushes went to a real client


def test_schemathesis_finds_an_answer_that_is_not_as_a_document_promises(endpoint, tmp_path):
    document = without_waiting(json.loads((CONTRACTS / "openapi.json").read_text()))
    document["components"]["schemas"]["Room"]["properties"]["last"] = {"type": "string"}
    wrong = tmp_path / "openapi.json"
    wrong.write_text(json.dumps(document))
    ended = run_tool(endpoint, wrong, "--include-operation-id", "createRoom", "--phases", "coverage")
    assert ended.returncode == 1 and "Response violates schema" in ended.stdout


def test_the_document_names_every_route_of_the_endpoint_and_no_other():
    settings = Settings()
    hub = Hub(honest_policies(settings, SECRET), SqliteStore(settings.store, settings.history), settings)
    routes = Server(hub, settings).application().router.routes()
    served = {(route.method, route.resource.canonical) for route in routes}
    promised = {
        (method.upper(), path)
        for path, item in json.loads((CONTRACTS / "openapi.json").read_text())["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert served == promised
