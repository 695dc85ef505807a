"""The target server (benchmarks/target.py) from our side: start it, ask it, freeze it, end it.

It must not know what loads it. The subtle thing: a process may hold only so many descriptors, often 20,000, so for more
connections than that several of them share one port, which the kernel spreads connections over, and answer as one.
"""

import contextlib
import json
import resource
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
SPARE_SHARE = 0.25
"""Of what a server may hold: the kernel spreads connections by chance, and a server needs some for itself."""


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
        """From the first TCP connection to the last upgrade."""
        took_ns = self.last_open_ns - self.first_open_ns
        return (self.opened - self.earlier - 1) / took_ns * 1e9 if took_ns else 0.0


class Target:
    """A running server, of one process or several; what is asked in words is asked of the first."""

    def __init__(self, groups: Sequence[Group], port: int, questions: Sequence[int]) -> None:
        self.groups = groups
        self.port = port
        self._sockets = [socket.create_connection(("127.0.0.1", each), ANSWER_TIMEOUT_S) for each in questions]
        self._streams = [each.makefile("rw") for each in self._sockets]

    def url(self, path: str = "/echo") -> str:
        """Where to connect."""
        return f"ws://127.0.0.1:{self.port}{path}"

    def ask(self, word: str, number: int = 0) -> Any:
        """What it answers to one of its words; see there."""
        stream = self._streams[number]
        stream.write(word + "\n")
        stream.flush()
        return json.loads(stream.readline())

    def counters(self) -> Counters:
        """What it has seen until now."""
        return together([Counters(**self.ask("stat", number)) for number in range(len(self._streams))])

    def freeze(self, frozen: bool) -> None:
        """Stop it dead, or let it go on."""
        for group in self.groups:
            group.popen.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def close(self) -> None:
        """Hang up."""
        for stream, each in zip(self._streams, self._sockets, strict=True):
            stream.close()
            each.close()


def together(seen: Sequence[Counters]) -> Counters:
    """What several processes have seen, as one server's."""
    return Counters(
        at_ns=max(each.at_ns for each in seen),
        received=sum(each.received for each in seen),
        sent=sum(each.sent for each in seen),
        opened=sum(each.opened for each in seen),
        closed=sum(each.closed for each in seen),
        earlier=sum(each.earlier for each in seen),
        first_open_ns=min((each.first_open_ns for each in seen if each.first_open_ns), default=0),
        last_open_ns=max(each.last_open_ns for each in seen),
        cpu_s=sum(each.cpu_s for each in seen),
    )


def processes_for(connections: int, allowed: int | None = None) -> int:
    """How many processes it takes to hold so many connections; `allowed` is each one's descriptors (None: as here)."""
    if allowed is None:
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if allowed == resource.RLIM_INFINITY:
        return 1
    return max(1, -(-connections // max(1, int(allowed * (1 - SPARE_SHARE)))))


@contextlib.contextmanager
def serving(arguments: Sequence[str] = (), core: int = OTHER_CORE, processes: int = 1) -> Iterator[Target]:
    """A server of its own on free ports, for as long as the context lasts.

    Raises:
        Unavailable: it cannot be installed here.
        RuntimeError: it did not start.
    """
    command = [str(environment("target") / "python"), str(SCRIPT), *arguments]
    groups: list[Group] = []
    try:
        port, questions = 0, []
        for _ in range(processes):
            group = Group([*command, "--port", str(port)], core, output=subprocess.PIPE, errors=None)  # type: ignore[arg-type]
            groups.append(group)
            assert group.popen.stdout is not None
            line = group.popen.stdout.readline()
            if not line:
                raise RuntimeError("the target server did not start")
            where = json.loads(line)
            port = where["port"]
            questions.append(where["questions"])
        with contextlib.closing(Target(groups, port, questions)) as target:
            yield target
    finally:
        for group in groups:
            group.popen.send_signal(signal.SIGCONT)
            group.stop()
            if group.popen.stdout is not None:
                group.popen.stdout.close()
