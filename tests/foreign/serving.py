"""Installs and starts the foreign chat server as a process of its own, and ends it by its pid.

It must not know what the server answers.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.npm import Unavailable, beside, found, installed

__all__ = ["ForeignServer", "Unavailable", "foreign_server"]

HERE = Path(__file__).resolve().parent
END_TIMEOUT_S = 10


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
    server = beside(installed(HERE, "ws"), HERE / "server.mjs")
    with subprocess.Popen([found("node"), str(server)], stdout=subprocess.PIPE, text=True) as process:
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
