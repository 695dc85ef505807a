"""The target server (benchmarks/target.py) from our side: start it, ask it, freeze it, end it.

It must not know what loads it.
"""

import contextlib
import json
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .installing import environment
from .processes import OTHER_CORE, Group

SCRIPT = Path(__file__).with_name("target.py")
ANSWER_TIMEOUT_S = 30.0


class Counters(NamedTuple):
    """What the server has seen; times on the monotonic clock."""

    at_ns: int
    received: int
    sent: int
    opened: int
    closed: int
    earlier: int
    """Opened before the first of those that `first_open_ns` is about: the first since nobody was there."""
    first_open_ns: int
    last_open_ns: int
    cpu_s: float

    @property
    def open(self) -> int:
        """Connections open now."""
        return self.opened - self.closed

    @property
    def opens_per_s(self) -> float:
        """From the first opening to the last."""
        took_ns = self.last_open_ns - self.first_open_ns
        return (self.opened - self.earlier - 1) / took_ns * 1e9 if took_ns else 0.0


class Target:
    """A running server."""

    def __init__(self, group: Group, port: int, questions: int) -> None:
        self.group = group
        self.port = port
        self._socket = socket.create_connection(("127.0.0.1", questions), ANSWER_TIMEOUT_S)
        self._stream = self._socket.makefile("rw")

    def url(self, path: str = "/echo") -> str:
        """Where to connect."""
        return f"ws://127.0.0.1:{self.port}{path}"

    def ask(self, word: str) -> Any:
        """What it answers to one of its words; see there."""
        self._stream.write(word + "\n")
        self._stream.flush()
        return json.loads(self._stream.readline())

    def counters(self) -> Counters:
        """What it has seen until now."""
        return Counters(**self.ask("stat"))

    def freeze(self, frozen: bool) -> None:
        """Stop it dead, or let it go on."""
        self.group.popen.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self._socket.close()


@contextlib.contextmanager
def serving(arguments: Sequence[str] = (), core: int = OTHER_CORE) -> Iterator[Target]:
    """A server of its own on free ports, for as long as the context lasts.

    Raises:
        Unavailable: it cannot be installed here.
    """
    command = [str(environment("target") / "python"), str(SCRIPT), *arguments]
    group = Group(command, core, output=subprocess.PIPE, errors=None)  # type: ignore[arg-type]
    try:
        assert group.popen.stdout is not None
        line = group.popen.stdout.readline()
        if not line:
            raise RuntimeError("the target server did not start")
        where = json.loads(line)
        target = Target(group, where["port"], where["questions"])
        try:
            yield target
        finally:
            target.close()
    finally:
        group.popen.send_signal(signal.SIGCONT)
        group.stop()
        if group.popen.stdout is not None:
            group.popen.stdout.close()
