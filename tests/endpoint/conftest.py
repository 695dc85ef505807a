"""The endpoint as a process, and a client for it that shares no code with it: `websockets` and plain dicts."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import ClientConnection, connect

from tests.waiting import until

SECRET = "a secret of the tests, longer than 32 bytes"
FRAME_CHARS = 30_000


class Client:
    """One WebSocket client."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, action: str, id: str = "i1", room: str | None = "r1", text: str | None = None, **more: Any) -> None:
        frame: dict[str, Any] = {"version": "1.0", "action": action, "requestId": id, "timestamp": 1}
        if room is not None and action != "ping":
            frame["roomId"] = room
        if text is not None:
            frame["payload"] = {"text": text}
        self.connection.send(json.dumps(frame | more))

    def raw(self, text: str | bytes | list[str]) -> None:
        """Send as it is; what is longer than one frame may be goes in several."""
        if isinstance(text, str) and len(text) > FRAME_CHARS:
            text = [text[at : at + FRAME_CHARS] for at in range(0, len(text), FRAME_CHARS)]
        self.connection.send(text)

    def get(self, timeout: float = 10) -> dict[str, Any]:
        return json.loads(self.connection.recv(timeout))

    def ask(self, *args: Any, **more: Any) -> dict[str, Any]:
        self.send(*args, **more)
        return self.get()

    def until(self, id: str) -> list[dict[str, Any]]:
        """Everything up to the ack, pong or error of a request, that one last."""
        frames = [self.get()]
        while frames[-1]["action"] == "message" or frames[-1].get("requestId") != id:
            frames.append(self.get())
        return frames

    def close_code(self, timeout: float = 10) -> int:
        """Read to the end; the code the endpoint closed with."""
        with contextlib.suppress(Exception):
            while True:
                self.connection.recv(timeout)
        return self.connection.protocol.close_rcvd.code if self.connection.protocol.close_rcvd else 1006


class Endpoint:
    """A serving endpoint: where it is, tokens for it, its log."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.http = url.replace("ws://", "http://").removesuffix("/ws")
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def token(self, user: str = "ann", **claims: Any) -> str:
        base = {"sub": user, "aud": "squall", "exp": int(time.time()) + 600, "roles": ["member"]}
        payload = {key: value for key, value in (base | claims).items() if value is not None}
        return jwt.encode(payload, SECRET, algorithm="HS256")

    @contextlib.contextmanager
    def client(self, user: str = "ann", key: str = "", **claims: Any) -> Iterator[Client]:
        headers = {"Authorization": f"Bearer {self.token(user, **claims)}"}
        with connect(f"{self.url}?client={key}", additional_headers=headers, max_size=None) as connection:
            yield Client(connection)

    def call(
        self, method: str, path: str, body: bytes | None = None, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.http + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else {}
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def metrics(self) -> dict[str, float]:
        """`/metrics` as Prometheus reads it: `name{label="value"}` to its number."""
        with urllib.request.urlopen(self.http + "/metrics", timeout=10) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        return {
            "".join([sample.name, *(f'{{{key}="{value}"}}' for key, value in sample.labels.items())]): sample.value
            for family in families
            for sample in family.samples
        }

    def admin(self) -> str:
        return self.token("root", roles=["admin"])

    def listed(self) -> list[dict[str, Any]]:
        status, body = self.call("GET", "/connections", token=self.admin())
        assert status == 200
        return body["connections"]

    def eventually_listed(self, keys: set[str]) -> None:
        """Wait until exactly these clients are listed."""
        until(lambda: {item["clientId"] for item in self.listed()} == keys)


class Redis:
    """A Redis of the tests: nothing on disk, on a free port of 127.0.0.1; may be ended and started again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command = ["redis-server", *options, "--databases", "64", "--dir", str(self._directory)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(self._answers)

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as client:
            client.sendall(b"PING\r\n")
            return client.recv(7).startswith(b"+PONG")
        return False

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def fresh(self) -> str:
        """The address of a database that no test has used."""
        self._databases += 1
        return f"redis://127.0.0.1:{self.port}/{self._databases}"


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """One Redis for all tests; a test that breaks it mends it."""
    if shutil.which("redis-server") is None:
        pytest.skip("needs redis-server (apt-get install redis-server)")
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


Serving = Callable[..., "contextlib.AbstractContextManager[Endpoint]"]


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Serving:
    """`with serving("--option", "value") as endpoint:` runs one, and checks that its log has no traceback."""

    @contextlib.contextmanager
    def run(*options: str) -> Iterator[Endpoint]:
        log = tmp_path_factory.mktemp("endpoint") / "log"
        command = [sys.executable, "-m", "harness.endpoint", "serve", *options]
        with (
            log.open("w") as stderr,
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=os.environ | {"SQUALL_JWT_SECRET": SECRET},
            ) as process,
        ):
            try:
                assert process.stdout is not None
                url = process.stdout.readline().strip()
                assert url, log.read_text()
                yield Endpoint(process, url, log)
                assert process.poll() is None, log.read_text()
            finally:
                process.terminate()
                process.wait(20)
        assert "Traceback" not in log.read_text()

    return run


@pytest.fixture(scope="module")
def endpoint(serving: Serving) -> Iterator[Endpoint]:
    """One endpoint with a wide throttle for all tests of a module."""
    with serving("--throttle-per-s", "100000", "--throttle-burst", "100000") as endpoint:
        yield endpoint
