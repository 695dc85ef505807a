"""Installs and starts the foreign chat server as a process of its own, and ends it by its pid.

It must not know what the server answers. The subtle thing: npm is only asked when the pinned package is not in the
cache (`.cache/npm-foreign`, git-ignored), and two test runs at once must not install into each other's directory.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "npm-foreign"
MANIFESTS = ("package.json", "package-lock.json")
INSTALL_TIMEOUT_S = 90
END_TIMEOUT_S = 10


class Unavailable(Exception):
    """Node, npm or the package cannot be had here; the text says which and why."""


@dataclass(frozen=True)
class ForeignServer:
    """A running server: `url` is `ws://127.0.0.1:<port>/chat`, `clients_url` lists its clients."""

    url: str
    pid: int

    @property
    def clients_url(self) -> str:
        """Where `GET` answers `{"clients": [{"name": ..., "channels": [...]}]}`."""
        return self.url.replace("ws://", "http://").removesuffix("/chat") + "/clients"


@contextlib.contextmanager
def foreign_server() -> Iterator[ForeignServer]:
    """A server of its own on a free port, for as long as the context lasts.

    Raises:
        Unavailable: it cannot be installed here.
        RuntimeError: it is installed and does not start.
    """
    modules = installed()
    node = _found("node")
    # A module is looked up beside the file that imports it, so the server runs from where `ws` is.
    server = modules / "server.mjs"
    scratch = modules / f"server.{os.getpid()}"
    shutil.copyfile(HERE / "server.mjs", scratch)
    scratch.replace(server)
    with subprocess.Popen([node, str(server)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url.startswith("ws://"):
                raise RuntimeError(f"the foreign server did not start: it said {url!r}")
            yield ForeignServer(url, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def installed() -> Path:
    """The directory that holds the pinned `ws` package, installed on first use.

    Raises:
        Unavailable: there is no node or npm, or npm cannot get the package.
    """
    _found("node")
    mark = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in MANIFESTS)).hexdigest()[:12]
    place = CACHE / mark
    if (place / "node_modules" / "ws" / "package.json").is_file():
        return place
    npm = _found("npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="installing-") as scratch:
        for name in MANIFESTS:
            shutil.copyfile(HERE / name, Path(scratch) / name)
        _install(npm, scratch)
        building = Path(scratch) / "done"
        building.mkdir()
        for name in (*MANIFESTS, "node_modules"):
            (Path(scratch) / name).replace(building / name)
        # Another run may have been quicker: a directory does not replace one that is not empty.
        with contextlib.suppress(OSError):
            building.replace(place)
    if not (place / "node_modules" / "ws" / "package.json").is_file():
        raise Unavailable(f"npm left no ws package in {place}")
    return place


def _install(npm: str, directory: str) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm did not install ws within {INSTALL_TIMEOUT_S} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise Unavailable(f"npm could not install ws: {lines[0]}")


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"{program} is not installed")
    return path
