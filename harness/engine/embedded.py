"""The embedded endpoint: start the reference endpoint as a child process, and complete a plan for it.

All that is known of it here is its command line, its first line of output and what it promises. The secret is made
here, for this run only, and passed by the environment.
"""

import os
import secrets
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import gevent
import msgspec

from ..endpoint.launch import command as endpoint_command
from ..errors import USAGE, RunFailed, UsageError
from ..plan import Contract, JwtAuth, NoAuth, Plan
from ..plan.shipped import find_shipped

SECRET = "SQUALL_JWT_SECRET"
START_S = 20.0
STOP_S = 5.0
LOG_BYTES = 64 * 1024
USER = JwtAuth(claims={"sub": "user-{session}", "tenant": "squall", "roles": ["member"]})
ADMIN = JwtAuth(claims={"sub": "observer", "tenant": "squall", "roles": ["admin"]})


def complete(plan: Plan, url: str) -> Plan:
    """The plan with what is known about the reference endpoint filled in where the plan says nothing."""
    endpoint = msgspec.structs.replace(
        plan.endpoint,
        url=f"{url}?client={{key}}",
        serve={},
        auth=plan.endpoint.auth if plan.endpoint.auth != NoAuth() else USER,
    )
    contract = plan.contract if plan.contract != Contract() else promises("reference")
    observe = plan.observe
    if not observe.url:
        observe = msgspec.structs.replace(observe, url="/connections", auth=ADMIN)
    return msgspec.structs.replace(plan, endpoint=endpoint, contract=contract, observe=observe)


def promises(name: str) -> Contract:
    """A shipped contract.

    Raises:
        PlanError: there is none of that name.
    """
    return msgspec.convert(tomllib.loads(find_shipped("contracts", f"{name}.toml").read_text())["contract"], Contract)


def make_secret() -> None:
    """Put a fresh secret into our environment, which our children inherit; one that is there is kept."""
    os.environ.setdefault(SECRET, secrets.token_urlsafe(32))


class Embedded:
    """The child process; a context manager that ends it.

    Raises:
        RunFailed: it did not start; with its own last line.
    """

    def __init__(self, options: Mapping[str, str | int | float | list[str]]) -> None:
        make_secret()
        command = endpoint_command("serve", "--exit-with-parent")
        for name, value in options.items():
            for one in value if isinstance(value, list) else [value]:
                command += [f"--{name.replace('_', '-')}", str(one)]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, start_new_session=True
        )
        self.url = ""

    def start(self) -> str:
        """Wait for its url.

        Raises:
            UsageError: it was given an option that it does not take.
            RunFailed: it did not start; with its own last line.
        """
        stdout = self._child.stdout
        line = b""
        with gevent.Timeout(START_S, False):  # False: leave the block silently
            line = stdout.readline() if stdout is not None else b""
        self.url = line.decode().strip()
        if not self.url.startswith("ws"):
            self.stop()
            said = self._tail(2000).decode(errors="replace").strip().splitlines()
            reason = said[-1].removeprefix("squall: ") if said else "it said nothing"
            if self._child.returncode == USAGE:
                raise UsageError(f"endpoint.serve: {reason}")
            raise RunFailed(f"the embedded endpoint did not start: {reason}")
        return self.url

    @property
    def ended(self) -> int | None:
        """Its exit code when it is not running any more."""
        return self._child.poll()

    def keep_log(self, path: Path) -> None:
        """Put the end of its log into a file, if it logged anything."""
        tail = self._tail(LOG_BYTES)
        if tail.strip():
            path.write_bytes(tail)

    def _tail(self, count: int) -> bytes:
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), count, max(0, size - count))

    def stop(self) -> None:
        """End it, by force after 5 s; harmless when it is over."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def __enter__(self) -> "Embedded":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
                 ) -> None:  # fmt: skip
        self.stop()
        self._log.close()
