"""The wheel works in an empty environment, outside the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def call(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=90, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_installed_squall_runs_a_shipped_plan_far_from_the_checkout(tmp_path):
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("squall-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    call(binaries / "pip", "install", "--quiet", "--no-deps", "--no-index", wheel)
    # Dependencies come from this environment; its editable install does not, for a .pth file there is not read.
    apart = {**os.environ, "PYTHONPATH": sysconfig.get_paths()["purelib"]}
    where = call(binaries / "python", "-c", "import harness; print(harness.__file__)", env=apart, cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path)
    flags = ["--sessions", "30", "--rooms", "6", "--rate", "4", "--duration", "2", "--set", "chaos=[]"]
    run = call(binaries / "squall", "run", "demo", *flags, "--budget", "default", env=apart, cwd=tmp_path)
    report = json.loads((tmp_path / run.strip() / "report.json").read_text())
    assert report["fitness"]["verdict"] == "fit"
    assert (tmp_path / run.strip() / "report.html").exists()
