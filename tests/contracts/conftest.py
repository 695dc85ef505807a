"""Public tools from npm, and a serving endpoint."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.endpoint.conftest import Endpoint, endpoint, serving
from tests.npm import Unavailable, beside, found, installed

__all__ = ["Endpoint", "endpoint", "serving"]

HERE = Path(__file__).parent
CONTRACTS = HERE.parents[1] / "contracts"


@pytest.fixture(scope="session")
def npm() -> Path:
    """The directory whose `node_modules` holds the public tools."""
    try:
        return installed(HERE, "@asyncapi/parser")
    except Unavailable as why:
        pytest.skip(f"the public tools cannot be had: {why}")


@pytest.fixture(scope="session")
def judge_asyncapi(npm: Path) -> Callable[[Path], dict[str, Any]]:
    """What the public AsyncAPI parser says of a document."""

    def judge(document: Path) -> dict[str, Any]:
        command = [found("node"), str(beside(npm, HERE / "asyncapi.mjs")), str(document)]
        told: dict[str, Any] = json.loads(subprocess.check_output(command, text=True, timeout=60))
        return told

    return judge
