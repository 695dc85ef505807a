"""What Squall must say of each fault of the chat server, and how often: the server's own count is the measure."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PLAN = HERE / "plan.toml"
SERVER = HERE / "chat.py"
STOP_S = 10.0

TEXTS = ("--set", 'endpoint.json.delivery.text="body"')
ALL_OPEN = ("--set", "load.arrivals.wait_for_all=false")
JWT = ("--set", 'endpoint.auth={kind="jwt", ttl_s=4.0}')
LOUD = (
    "--set", 'contract.schemas.publish="say.json"',
    "--set", 'chaos=[{fault="malformed", at_s=3.0, count=2, messages=4}]',
)  # fmt: skip
STALLED = (
    "--set", "load.payload_bytes=8000", "--set", "load.rate_per_s=4", "--set", "endpoint.answer_timeout_s=10",
    "--set", 'chaos=[{fault="drop", how="stall", at_s=2.0, count=1}]',
)  # fmt: skip
ROOM_ORDER = ("--set", 'contract.order="room"')
BUCKET = (
    "--set", "contract.throttle_per_s=10", "--set", "contract.throttle_burst=20",
    "--set", "load.rate_per_s=20", "--set", "load.sessions=6", "--set", "load.rooms=3",
)  # fmt: skip
RESTARTED = ("--set", "contract.expected_closes=[1012]")
PER_S = ("--per-s", "10")


@dataclass(frozen=True)
class Case:
    """One fault of the server's.

    Args:
        fault: its name on the server's command line; "none": the right server.
        found: the findings that must be made, and no others.
        exactly: whether the first of them counts what the server counts.
        options: of `squall run`.
        server: further arguments of the server's.
    """

    fault: str
    found: tuple[str, ...]
    exactly: bool = False
    options: tuple[str, ...] = ()
    server: tuple[str, ...] = ()

    @property
    def twin(self) -> "Case":
        """The same on the right server, where nothing may be found."""
        return Case("none", (), options=self.options, server=self.server)


CASES = (
    Case("lose", ("lost",), exactly=True),
    Case("twice", ("duplicated",), exactly=True),
    Case("mute", ("unanswered",), exactly=True),
    Case("renamed", ("not-recognised",)),
    Case("own-ids", ("not-recognised",)),
    Case("anonymous-errors", ("error-without-id", "wrongly-rejected"), exactly=True),
    Case("refuses", ("wrongly-rejected",), exactly=True),
    Case("half-refused", ("refused-joins", "wrongly-rejected"), exactly=True, options=ALL_OPEN),
    Case("cut-text", ("altered",), exactly=True, options=TEXTS),
    Case("broken-letters", ("altered",), exactly=True, options=TEXTS),
    Case("other-name", ("impersonated",), exactly=True),
    Case("other-room", ("leaked",), exactly=True),
    Case("history", (), options=ALL_OPEN),
    Case("outlived", ("outlived-token",), options=JWT),
    Case("one-for-all", ("bystanders-cut", "wrong-code"), options=LOUD),
    Case("waits-for-each", ("held-up",), options=STALLED),
    Case("two-orders", ("out-of-total-order",), options=ROOM_ORDER),
    Case("fast-bucket", ("throttle-not-enforced",), options=BUCKET, server=PER_S),
    Case("slow-bucket", ("throttle-too-strict",), options=BUCKET, server=PER_S),
    Case("resets-after-close", (), options=RESTARTED),
)


@contextlib.contextmanager
def served(case: Case, log: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """The server of a case: its url with the connection's name, and its counts once the block is left."""
    counts: dict[str, int] = {}
    command = [sys.executable, str(SERVER), "0", "--fault", case.fault, *case.server]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            yield f"ws://127.0.0.1:{port}/?me={{key}}", counts
            process.terminate()
            said, _ = process.communicate(timeout=STOP_S)
            counts.update(json.loads(said))
        finally:
            process.kill()
            process.wait()
