"""What small servers did by their own count, beside what Squall says of them.

    .venv/bin/python -m benchmarks.cases [--only NAME ...] [FOLDER ...]

Without a folder: the chat server of `tests/cases`, once for each of its faults and once right for each plan. With
folders: every `server.py` in or below them that stands beside a `plan.toml`. Such a server listens where its plan says;
one that knows `--fault` is run with and without it, and prints its counts as JSON when it ends.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cases.table import CASES, HERE, Case, served

from .table import Table, keep, load_average, say

TITLE = "Cases: what the server did and what Squall says"
RUN_S, START_S, STOP_S = 180, 10, 10
PORT = re.compile(r'^url = "ws://127\.0\.0\.1:(\d+)', re.MULTILINE)
ENVIRONMENT = {"SQUALL_JWT_SECRET": "s" * 32}


def squall(plan: Path, out: Path, *options: str) -> str:
    """Run a plan: the verdict, and every finding with its count."""
    command = [sys.executable, "-m", "squall", "run", str(plan), "--out", str(out), *options]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), **ENVIRONMENT}
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, env=environment, cwd=plan.parent)
    if not done.stdout.strip():
        return f"exit {done.returncode}: {done.stderr.strip().splitlines()[-1][:120] if done.stderr.strip() else ''}"
    report = json.loads((Path(done.stdout.strip()) / "report.json").read_text())
    found = ", ".join(f"{name} {count}" for name, count in report["finding_counts"].items() if count)
    return f"{report['verdict']['verdict']}: {found or 'none'}"


def ours(only: list[str]) -> Iterator[tuple[str, str, str]]:
    """Name, the server's count, and what Squall says, for each case of the project's own server."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("plan.toml", "say.json"):
            shutil.copy(HERE / name, folder)
        for case in dict.fromkeys((*CASES, *(case.twin for case in CASES))):
            if not only or case.fault in only:
                yield _named(case), *_one(case, Path(folder))


def _named(case: Case) -> str:
    return case.fault if case.fault != "none" else f"right: {' '.join(case.options[1::2])[:60] or 'as it is'}"


def _one(case: Case, folder: Path) -> tuple[str, str]:
    with served(case, folder / "server.log") as (url, counts):
        said = squall(folder / "plan.toml", folder / "runs", *case.options, "--url", url)
    return str(counts["struck"]), said


def theirs(folders: list[Path], only: list[str]) -> Iterator[tuple[str, str, str]]:
    """The same for each server below these folders."""
    places = sorted({path.parent for folder in folders for path in folder.rglob("server.py")})
    for place in places:
        if not (place / "plan.toml").is_file() or (only and place.name not in only):
            continue
        knows_fault = "--fault" in (place / "server.py").read_text()
        for options in (["--fault"], []) if knows_fault else ([],):
            with tempfile.TemporaryDirectory() as scratch:
                folder = shutil.copytree(place, Path(scratch) / place.name)
                struck, said = _served_there(folder, options, knows_fault)
            yield f"{place.name}{' (fault)' if options else ''}", struck, said


def _served_there(folder: Path, options: list[str], counts: bool) -> tuple[str, str]:
    port = PORT.search((folder / "plan.toml").read_text())
    arguments = [port[1], *options] if port and counts else []
    command = [sys.executable, "server.py", *arguments]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        if port:
            _wait_for(int(port[1]))
        said = squall(folder / "plan.toml", folder / "runs")
        server.terminate()
        last = server.communicate(timeout=STOP_S)[0].strip().splitlines()
    finally:
        server.kill()
        server.wait()
    try:
        return str(json.loads(last[-1])["struck"]), said
    except (IndexError, ValueError, KeyError, TypeError):
        return "not counted", said


def _wait_for(port: int) -> None:
    ends_s = time.monotonic() + START_S
    while time.monotonic() < ends_s:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)


def main() -> None:
    """Run every case, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="names of cases")
    given = parser.parse_args()
    before = load_average()
    table = Table(TITLE, ("case", "struck", "Squall"))
    for row in theirs(given.folders, given.only) if given.folders else ours(given.only):
        table.add(*row)
        say("  " + " | ".join(row))
    table.show()
    if not given.folders:
        keep("cases", TITLE, [table], command="python -m benchmarks.cases", load_before=before, quick=bool(given.only))


if __name__ == "__main__":
    main()
