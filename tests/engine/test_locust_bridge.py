"""The contract with Locust's insides: a release that lacks one of them fails here, by its name."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "tests" / "engine" / "locust_contract.py"
NAMES = [
    ast.literal_eval(decorator.args[0])
    for function in ast.parse(CONTRACT.read_text()).body
    if isinstance(function, ast.FunctionDef)
    for decorator in function.decorator_list
    if isinstance(decorator, ast.Call)
]
PRIVATE = ("_taskset_instance", "_sleep", "_state", "execute_task", "LOCUST_STATE_STOPPING")


@pytest.fixture(scope="module")
def wrong():
    # Importing Locust patches sockets: it gets a process of its own.
    code = f"import runpy; runpy.run_path({str(CONTRACT)!r}, run_name='__main__')"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", NAMES)
def test_locust_has(name, wrong):
    assert wrong[name] == ""


@pytest.mark.parametrize("name", PRIVATE)
def test_only_the_bridge_uses_a_private_name_of_locusts(name):
    users = {
        path.relative_to(ROOT).as_posix()
        for top in ("harness", "squall", "scenarios", "reports")
        for path in (ROOT / top).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if name in (getattr(node, "attr", None), getattr(node, "id", None), *_imported(node))
    }
    assert users == {"harness/engine/locust_bridge.py"}


def _imported(node):
    return [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []


def test_only_the_bridge_imports_locusts_module_of_tasks():
    users = {
        path.relative_to(ROOT).as_posix()
        for top in ("harness", "squall", "scenarios", "reports")
        for path in (ROOT / top).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("locust.user")
    }
    assert users == {"harness/engine/locust_bridge.py"}
