"""Pinned npm packages for tests, installed once into the cache (`.cache/npm-NAME`, git-ignored).

It must not know what the packages are for. The subtle thing: npm is only asked when the packages of this very lock file
are not in the cache, and two test runs at once must not install into each other's directory.
"""

import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

MANIFESTS = ("package.json", "package-lock.json")
INSTALL_TIMEOUT_S = 90


class Unavailable(Exception):
    """Node, npm or a package cannot be had here; the text says which and why."""


def installed(manifests: Path, package: str) -> Path:
    """The directory whose `node_modules` holds what the manifests in `manifests` pin, among it `package`.

    Raises:
        Unavailable: there is no node or npm, or npm cannot get the packages.
    """
    found("node")
    mark = hashlib.sha256(b"".join((manifests / name).read_bytes() for name in MANIFESTS)).hexdigest()[:12]
    cache = Path(__file__).resolve().parents[1] / ".cache" / f"npm-{manifests.name}"
    place = cache / mark
    if (place / "node_modules" / package / "package.json").is_file():
        return place
    npm = found("npm")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="installing-") as scratch:
        for name in MANIFESTS:
            shutil.copyfile(manifests / name, Path(scratch) / name)
        _install(npm, scratch)
        building = Path(scratch) / "done"
        building.mkdir()
        for name in (*MANIFESTS, "node_modules"):
            (Path(scratch) / name).replace(building / name)
        # Another run may have been quicker: a directory does not replace one that is not empty.
        with contextlib.suppress(OSError):
            building.replace(place)
    if not (place / "node_modules" / package / "package.json").is_file():
        raise Unavailable(f"npm left no package {package} in {place}")
    return place


def beside(place: Path, script: Path) -> Path:
    """A copy of `script` in `place`: node looks a module up beside the file that imports it."""
    with tempfile.NamedTemporaryFile(dir=place, suffix=script.suffix, delete=False) as scratch:
        scratch.write(script.read_bytes())
    copy = place / script.name
    Path(scratch.name).replace(copy)
    return copy


def found(program: str) -> str:
    """The path of a program.

    Raises:
        Unavailable: it is not installed.
    """
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"{program} is not installed")
    return path


def _install(npm: str, directory: str) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm did not install the packages within {INSTALL_TIMEOUT_S} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise Unavailable(f"npm could not install the packages: {lines[0]}")
