"""Microseconds per encoded and decoded frame, for both dialects. Run: .venv/bin/python -m benchmarks.wire"""

import timeit
from collections.abc import Callable
from pathlib import Path

from harness.plan import Endpoint, load_plan
from harness.wire import Message, make_dialect

MESSAGE = Message("k3x9-1234-567", 567, "room-17", "x" * 100, "k3x9-1234", 1234, 0, 1_764_000_000_000)
TEXT = b'"' + b"x" * 100 + b'"'
ENVELOPE = {
    "ack": b'{"version":"1.0","action":"ack","requestId":"k3x9-1234-567","roomId":"room-17","payload":{},'
    b'"timestamp":1764000000000}',
    "delivery": b'{"version":"1.0","action":"message","requestId":"k3x9-1234-567","roomId":"room-17","payload":{"text":'
    + TEXT
    + b',"sender":"k3x9-1234"},"timestamp":1764000000000}',
    "error": b'{"version":"1.0","action":"error","requestId":"k3x9-1234-567","roomId":"room-17",'
    b'"payload":{"code":429,"message":"rate exceeded"},"timestamp":1764000000000}',
}
CHAT = {
    "ack": b'{"type":"ok","ref":"k3x9-1234-567"}',
    "delivery": b'{"type":"said","channel":"room-17","ref":"k3x9-1234-567","from":"k3x9-1234-0","body":' + TEXT + b"}",
    "error": b'{"type":"err","ref":"k3x9-1234-567","code":4029,"why":"rate exceeded"}',
}


def microseconds(call: Callable[[], object]) -> float:
    """The best of five rounds, per call."""
    rounds = 50_000
    return min(timeit.repeat(call, number=rounds, repeat=5)) / rounds * 1e6


def main() -> None:
    foreign = load_plan(Path(__file__).parent.parent / "plans" / "foreign-chat.toml")
    for name, endpoint, frames in (("envelope", Endpoint(), ENVELOPE), ("json", foreign.endpoint, CHAT)):
        dialect = make_dialect(endpoint)
        print(f"{name:9} publish   {microseconds(lambda d=dialect: d.publish(MESSAGE)):6.2f} us")  # type: ignore[misc]
        for kind, frame in frames.items():
            took = microseconds(lambda d=dialect, f=frame: d.decode(f))  # type: ignore[misc]
            print(f"{name:9} {kind:9} {took:6.2f} us")


if __name__ == "__main__":
    main()
