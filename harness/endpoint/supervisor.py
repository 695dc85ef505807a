"""Several processes behind one port: started together, restarted when one dies, stopped together.

The port is held by a socket that never listens, so it stays ours while a child is being restarted; the kernel gives
each new client to one of the children that do listen (SO_REUSEPORT).
"""

import contextlib
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable

from ..errors import RunFailed, UsageError

log = logging.getLogger("squall.endpoint")

START_S = 20.0
STOP_S = 5.0
STEP_S = 0.2
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
STEADY_S = 10.0
"""A child that lived this long is restarted after the first delay; for one that dies sooner, the delay doubles."""

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}

Child = Callable[[int, Callable[[], None]], int]
"""Serves on a port, calls the second argument once it listens, and returns its exit code."""


def hold(host: str, port: int) -> socket.socket:
    """A socket that is bound to the port, never listens, and lets our processes listen there.

    Raises:
        UsageError: the port is taken or the host is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    holder = socket.socket(family, socket.SOCK_STREAM)
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:  # SO_REUSEPORT alone would share it with a stranger
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((host, port))
    except OSError as error:
        holder.close()
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return holder


class Supervisor:
    """Keeps `count` children alive. `parent` is the process with which it ends; None for none."""

    def __init__(self, count: int, port: int, child: Child, parent: int | None) -> None:
        self._count = count
        self._port = port
        self._child = child
        self._parent = parent
        self._started_s: dict[int, float] = {}
        self._due_s: list[float] = []
        self._backoff_s = FIRST_BACKOFF_S

    def run(self, all_listen: Callable[[], None]) -> None:
        """Serve until SIGTERM, SIGINT or the parent's end.

        Raises:
            RunFailed: a child did not start listening.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            for pipe in [self._start() for _ in range(self._count)]:
                self._await(pipe)
            all_listen()
            while not self._told_to_stop():
                self._mend(time.monotonic())
            log.info("stopping")
        finally:
            self._stop()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start(self) -> int:
        """Fork a child; returns a pipe that it writes to once it listens, and that ends when the child ends."""
        mine, theirs = os.pipe()
        pid = os.fork()
        if pid:
            os.close(theirs)
            self._started_s[pid] = time.monotonic()
            return mine
        code = 1
        try:
            os.close(mine)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            code = self._child(self._port, lambda: tell(theirs))
        except Exception:
            log.exception("a process failed")
        finally:
            os._exit(code)

    def _await(self, pipe: int) -> None:
        try:
            readable, _, _ = select.select([pipe], [], [], START_S)
            if not readable or not os.read(pipe, 1):
                raise RunFailed("a process of the endpoint did not start; its last words stand above")
        finally:
            os.close(pipe)

    def _told_to_stop(self) -> bool:
        received = signal.sigtimedwait(SIGNALS, STEP_S)
        orphan = self._parent is not None and os.getppid() != self._parent
        return orphan or (received is not None and received.si_signo != signal.SIGCHLD)

    def _mend(self, now_s: float) -> None:
        """Restart children that died: at once the first time, later and later if they die again."""
        for pid, code in self._ended():
            lived_s = now_s - self._started_s.pop(pid)
            self._backoff_s = FIRST_BACKOFF_S if lived_s > STEADY_S else min(MAX_BACKOFF_S, self._backoff_s * 2)
            log.error("process %d ended (%s) and is replaced in %.1f s", pid, ending(code), self._backoff_s)
            self._due_s.append(now_s + self._backoff_s)
        for due_s in [due_s for due_s in self._due_s if due_s <= now_s]:
            self._due_s.remove(due_s)
            os.close(self._start())

    def _ended(self) -> list[tuple[int, int]]:
        """Reap the children that ended since the last call; returns them with their exit codes."""
        found = []
        for pid in self._started_s:
            reaped, status = os.waitpid(pid, os.WNOHANG)
            if reaped:
                found.append((pid, os.waitstatus_to_exitcode(status)))
        return found

    def _stop(self) -> None:
        """Stop all children, by force after a while."""
        for number, patience_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
            for pid in self._started_s:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            end_s = time.monotonic() + patience_s
            while self._started_s and time.monotonic() < end_s:
                for pid, _ in self._ended():
                    del self._started_s[pid]
                time.sleep(0.01)


def tell(pipe: int) -> None:
    """Report that we listen; nobody waits for a child that was restarted."""
    with contextlib.suppress(BrokenPipeError):
        os.write(pipe, b"1")
    os.close(pipe)


def ending(code: int) -> str:
    """An exit code in words.

    >>> ending(-9), ending(1)
    ('SIGKILL', 'exit code 1')
    """
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
