"""A user's own folders called `reports`, `scenarios` or `harness` break nothing, and his own are still importable.

They lie in the working directory and beside the locustfile, with and without `__init__.py`. Every case is a process of
its own, since imports are a process's. It imports from a folder as a wheel makes it, with `harness` and `squall` and no
other name of ours; from a checkout Python itself prefers our `reports` to a user's folder without `__init__.py`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.loose import LOOSE, LOOSE_PLAN

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests" / "reports" / "kept" / "format-1"
QUICK = ("--sessions", "2", "--rooms", "1", "--rate", "4", "--duration", "1.5", "--set", "load.ramp_s=0.2",
         "--set", "load.settle_s=0.5", *LOOSE)  # fmt: skip
PLAN = (
    """
[load]
scenario = "{scenario}"
sessions = 2
rooms = 1
rate_per_s = 4.0
ramp_s = 0.2
duration_s = 1.5
settle_s = 0.5
"""
    + LOOSE_PLAN
)
SCENARIO = """
from dataclasses import dataclass

from squall import RealtimeUser, task
from reports import mine
from scenarios.words import WORD


@dataclass
class Remark:
    text: "str"


class Own(RealtimeUser):
    @task
    def say(self):
        from lately import SUFFIX

        due = self.pace()
        self.publish(self.room, Remark(mine.PREFIX + WORD + SUFFIX).text, due)
"""


whole_run = pytest.mark.slow(reason="a whole run in a process of its own")


@pytest.fixture(params=["packages", "folders"])
def place(request, tmp_path):
    """A directory with folders of those names, and helper modules in two of them."""
    (tmp_path / "squall").mkdir()  # a clone of this repository, for example
    for name in ("harness", "reports", "scenarios"):
        (tmp_path / name).mkdir()
        if request.param == "packages":
            (tmp_path / name / "__init__.py").touch()
    (tmp_path / "reports" / "mine.py").write_text('PREFIX = "so "')
    (tmp_path / "reports" / "build.py").write_text("raise RuntimeError('this is not the build of ours')")
    (tmp_path / "scenarios" / "words.py").write_text('WORD = "it "')
    (tmp_path / "scenarios" / "chat.py").write_text("raise RuntimeError('this is not the chat of ours')")
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    """A folder to import from in which there are our two packages alone."""
    path = tmp_path_factory.mktemp("site")
    for name in ("harness", "squall"):
        (path / name).symlink_to(ROOT / name)
    others = [each for each in sys.path if each and not (Path(each) / "squall" / "cli.py").exists()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(path), *others]))
        yield path


def call(place, *command, **environment):
    """Run a command in the directory. -S: what is installed in editable mode is not on the path."""
    here = Path(sys.executable).parent
    words = {
        "python": [sys.executable, "-S", "-W", "ignore"],
        "locust": [sys.executable, "-S", "-W", "ignore", "-m", "locust"],
    }
    words["squall"] = [here / "python", "-S", "-W", "ignore", "-P", "-m", "squall"]  # -P: as the console script
    done = subprocess.run(
        [str(part) for part in [*words[command[0]], *command[1:]]], cwd=place, capture_output=True, text=True,
        timeout=90, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "not the" not in done.stderr
    return done.stdout


def published(directory):
    report = json.loads((directory / "report.json").read_text())
    assert report["run"]["status"] == "complete"
    return report["outcomes"]["publish"]["ok"]


@whole_run
@pytest.mark.parametrize("program", [("squall",), ("python", "-m", "squall")], ids=["script", "module"])
def test_a_shipped_scenario_runs_and_is_reported(place, program):
    directory = place / call(place, *program, "run", *QUICK, "--no-report").strip()
    call(place, *program, "report", directory)
    assert published(directory) > 0


@whole_run
def test_so_it_does_when_the_working_directory_is_on_the_python_path(place):
    path = os.pathsep.join([str(place), os.environ["PYTHONPATH"]])
    directory = place / call(place, "python", "-m", "squall", "run", *QUICK, PYTHONPATH=path).strip()
    assert published(directory) > 0


@whole_run
def test_a_scenario_file_has_the_helpers_beside_it(place, tmp_path_factory):
    (place / "own.py").write_text(SCENARIO)
    (place / "lately.py").write_text('SUFFIX = "is"')
    (place / "own.toml").write_text(PLAN.format(scenario="own.py"))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    out = elsewhere / "runs"
    directory = call(elsewhere, "python", "-m", "squall", "run", place / "own.toml", "--out", out).strip()
    assert published(Path(directory)) > 0


@whole_run
@pytest.mark.parametrize("more", [(), ("--processes", "2")], ids=["alone", "two processes"])
def test_a_locustfile_runs_beside_them_and_imports_the_users_own(place, more):
    (place / "locustfile.py").write_text(
        "from reports import mine\nfrom scenarios import words\nfrom squall import run_under_locust\n"
        "assert mine.PREFIX and words.WORD\nScenario = run_under_locust()\n"
    )
    (place / "small.toml").write_text(PLAN.format(scenario="chat"))
    command = ["locust", "-f", "locustfile.py", "--headless", "-u", 2, "-r", 2, "-t", "4s", *more]
    call(place, *command, SQUALL_PLAN="small.toml")
    (directory,) = (place / "runs").iterdir()
    call(place, "squall", "report", directory)
    assert published(directory) > 0


@pytest.mark.parametrize("first", ["from reports import mine", "import squall"])
def test_open_run_works_beside_the_users_own_reports(place, first):
    code = (
        f"{first}\nfrom squall import open_run\nrun = open_run({str(KEPT)!r})\nassert run.report and len(run.owed)\n"
        "from reports import mine\nfrom scenarios import words\nprint(mine.PREFIX + words.WORD)"
    )
    assert call(place, "python", "-c", code) == "so it \n"


@pytest.mark.parametrize("place", ["packages"], indirect=True)  # a folder without __init__.py comes after ours there
def test_from_a_checkout_a_package_of_the_users_comes_first_too(place):
    (place / "own.py").write_text(SCENARIO)
    (place / "lately.py").write_text('SUFFIX = "is"')
    code = (
        f"import locust; import squall; from pathlib import Path\n"
        f"from harness.engine.scenario_loading import load_scenario\n"
        f"print(load_scenario('own.py', Path({str(place)!r})).__name__)"
    )
    path = os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])
    assert call(ROOT, "python", "-c", code, PYTHONPATH=path) == "Own\n"


def test_a_package_called_harness_that_was_imported_first_is_named(tmp_path):
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").touch()
    code = "import harness\ntry:\n    import squall\nexcept ImportError as error:\n    print(error)"
    assert str(tmp_path / "harness") in call(tmp_path, "python", "-c", code)
