"""Processes that a benchmark starts: on a core of their own, measured with all their children, ended by their ids.

It must not know what they do. The subtle things: each starts a session of its own (setsid), so "with all its children"
is "of that session", whatever forks or is orphaned in it; and each is killed by the kernel when we die, so that a
benchmark that is killed leaves nothing behind.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
GRACE_S = 5.0


def cores() -> list[int]:
    """The cores that we may use."""
    return sorted(os.sched_getaffinity(0))


CORES = cores()
GENERATOR_CORE = CORES[0]
"""What is measured runs here, alone."""
OTHER_CORE = CORES[-1]
"""The server and the benchmark itself run here; the same one where there is only one."""


class Group:
    """A started process and everything that came of it."""

    def __init__(self, command: Sequence[str], core: int | None, *, output: IO[bytes] | int = subprocess.DEVNULL,
                 errors: IO[bytes] | int = subprocess.DEVNULL, env: Mapping[str, str] | None = None,
                 cwd: Path | None = None) -> None:  # fmt: skip
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *pinned, *command], stdin=subprocess.DEVNULL, stdout=output,
            stderr=errors, start_new_session=True, env={**os.environ, **(env or {})}, cwd=cwd,
        )  # fmt: skip
        self.pid = self.popen.pid

    def members(self) -> list[int]:
        """The ids of those that live."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    if os.getsid(int(entry.name)) == self.pid:
                        found.append(int(entry.name))
        return found

    def cpu_s(self) -> float:
        """CPU seconds used until now, by those that live and by the children that they have waited for."""
        ticks = 0
        for pid in self.members():
            with contextlib.suppress(OSError):
                # The name, in brackets, may hold anything; utime, stime, cutime, cstime are fields 14 to 17.
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))
        return ticks / TICKS_A_SECOND

    def memory_bytes(self) -> int:
        """Proportional set size of all of them: shared pages counted once, divided among those who share."""
        total = 0
        for pid in self.members():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        return total

    @property
    def is_alive(self) -> bool:
        """Whether the first of them still runs."""
        return self.popen.poll() is None

    def stop(self, first: signal.Signals = signal.SIGTERM, grace_s: float = GRACE_S) -> None:
        """Ask the first to end, then kill whoever is left."""
        if self.is_alive:
            self.popen.send_signal(first)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(grace_s)
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait()


@contextlib.contextmanager
def started(command: Sequence[str], core: int | None, **more: object) -> Iterator[Group]:
    """A process for as long as the context lasts."""
    group = Group(command, core, **more)  # type: ignore[arg-type]
    try:
        yield group
    finally:
        group.stop()


class Repeating:
    """Calls something every so often, beside what we do, until the context ends."""

    def __init__(self, every_s: float, call: "object") -> None:
        self._every_s, self._call = every_s, call
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            self._call()  # type: ignore[operator]
            due += self._every_s

    def __enter__(self) -> "Repeating":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()


def terminate_as_interrupt() -> None:
    """Let a SIGTERM unwind us as Ctrl-C does, so that every context ends what it started."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    os.sched_setaffinity(0, {OTHER_CORE})
