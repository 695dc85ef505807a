"""The REST side against its OpenAPI document, by schemathesis: a public tool that generates the calls and judges the
answers (statuses, headers, bodies, malformed data refused, missing rights refused, methods that are not there).
"""

import json
import subprocess
import sys
import threading

import pytest
from websockets.exceptions import ConnectionClosed

from tests.contracts.conftest import CONTRACTS

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


@pytest.mark.slow  # hundreds of generated calls: some 15 s
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
        token = endpoint.token("tester", roles=["member", "admin"])
        command = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", str(document),
            "--url", endpoint.http, "--header", f"Authorization: Bearer {token}",
            "--exclude-operation-id", "streamRoom", "--exclude-operation-id", "connect",
            "--max-examples", str(EXAMPLES), "--seed", "1", "--generation-database", "none", "--continue-on-failure",
        ]  # fmt: skip
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110)
        pushed.connection.close()
        listener.join()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "14 passed" in ended.stdout  # every operation but the two left out
    assert received  # the pushes went to a real client
