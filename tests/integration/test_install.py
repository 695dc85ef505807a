"""The wheel works in an empty environment, outside the checkout."""

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow(reason="builds the wheel and installs it")

ROOT = Path(__file__).parents[2]
SMALL = ("--sessions", "30", "--rooms", "6", "--rate", "4", "--duration", "2", "--set", "chaos=[]")
OPEN = """
import sys
from squall import open_run
run = open_run(sys.argv[1])
assert {"gevent", "locust"}.isdisjoint(sys.modules)
print(len(run.owed), len(run.lost), run.operations["scenario"].unique().tolist())
"""


class Installed:
    """The wheel in a virtual environment of its own; its dependencies come from this one."""

    def __init__(self, base):
        self.base = base
        self.call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", base, ROOT)
        (self.wheel,) = base.glob("squall-*.whl")
        venv.create(base / "venv", with_pip=True)
        self.call(base / "venv" / "bin" / "pip", "install", "--quiet", "--no-deps", "--no-index", self.wheel)

    def call(self, *command):
        # This environment's editable install is not seen, since a .pth file on PYTHONPATH is not read.
        pandas = Path(importlib.util.find_spec("pandas").origin).parents[1]
        path = os.pathsep.join([sysconfig.get_paths()["purelib"], str(pandas)])
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=90, cwd=self.base,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def squall(self, *arguments):
        return self.call(self.base / "venv" / "bin" / "squall", *arguments)

    def python(self, code, *arguments):
        return self.call(self.base / "venv" / "bin" / "python", "-c", code, *arguments)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def directory(installed):
    """A shipped plan with a shipped scenario, judged by a shipped budget."""
    return installed.base / installed.squall("run", "demo", *SMALL, "--budget", "default")


def test_the_wheel_brings_two_packages_and_no_other_name(installed):
    names = zipfile.ZipFile(installed.wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"harness", "squall"}
    assert {"harness/py.typed", "squall/py.typed"} <= set(names)
    found = "import importlib.util as u; print([bool(u.find_spec(n)) for n in ('harness', 'reports', 'scenarios')])"
    assert installed.python(found) == "[True, False, False]"
    where = installed.python("import squall, harness; print(harness.__file__)")
    assert Path(where).is_relative_to(installed.base)


def test_it_runs_a_shipped_plan_far_from_the_checkout(directory):
    report = json.loads((directory / "report.json").read_text())
    assert report["fitness"]["verdict"] == "fit"
    assert (directory / "report.html").exists()


def test_it_reports_and_judges_that_run_again(installed, directory):
    (directory / "report.html").unlink()
    installed.squall("report", directory)
    assert (directory / "report.html").exists()
    installed.squall("gate", directory)


def test_it_opens_that_run_as_data_frames(installed, directory):
    owed, lost, scenarios = installed.python(OPEN, directory).split(" ", 2)
    assert int(owed) > 0 and lost == "0" and scenarios == "['chat']"


def test_its_locustfile_and_scenarios_are_shipped(installed):
    shipped = "from harness.engine.scenario_files import shipped_scenarios; print(*shipped_scenarios())"
    assert installed.python(f"import squall; {shipped}").split() == sorted(
        file.stem.replace("_", "-") for file in (ROOT / "scenarios").glob("*.py") if file.stem != "__init__"
    )
    assert "harness/shipped/locustfile.py" in zipfile.ZipFile(installed.wheel).namelist()
