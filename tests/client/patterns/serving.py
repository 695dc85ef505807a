"""Starts the rooms server as a process of its own, and ends it by its pid."""

import contextlib
import subprocess
import sys
from pathlib import Path

SERVER = Path(__file__).with_name("rooms_server.py")


@contextlib.contextmanager
def rooms_server(*options):
    """Its url, `http://127.0.0.1:PORT`, for as long as the context lasts."""
    command = [sys.executable, "-W", "ignore", str(SERVER), *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://"), url
            yield url
        finally:
            process.terminate()
            process.wait(10)
