"""Random server byte streams against whole sessions: each must end in a recorded outcome, and leave nothing behind.

    python -m tests.transport.fuzzing [STREAMS] [--seed N] [--only STREAM]

Noise, and valid streams that are mutated (a byte flipped, inserted, cut out, repeated, the end cut off), at all stages:
a proxy's answer, a TLS handshake, sealed records, the upgrade's answer, frames, compressed frames. Everything is drawn
from the seed and the stream's number, so a stream that fails is run again alone with --only.
"""

import argparse
import gc
import os
import random
import resource
import ssl
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode

from harness.auth import Access
from harness.client.context import Context
from harness.client.session import Session
from harness.client.tally import Tally
from harness.plan import build_plan
from harness.record.row import Kind, Outcome
from harness.transport.options import Options, Route
from harness.transport.stream import Stage
from harness.transport.trust import make_context
from harness.units import SECOND
from harness.wire import make_dialect
from tests.transport.authority import Authority
from tests.transport.pairs import NOWHERE, PairBench, Wire
from tests.transport.serving import answer, close_frame, text

CONNECT = b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n"
OPENED = b"HTTP/1.1 200 OK\r\n\r\n"
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
REFUSED = b"HTTP/1.1 429 Slow down\r\nRetry-After: 3\r\nContent-Length: 5\r\n\r\nslow!"
WAYS = (("plain", 60), ("deflate", 15), ("ping", 10), ("tls", 8), ("proxy", 7))
OPEN_NS, PING_NS = 10 * SECOND, 30 * SECOND


class Rows:
    """Counts what is recorded of each session."""

    def __init__(self):
        self.opens: dict[int, list] = {}
        self.closes: dict[int, list] = {}
        self.kinds = Counter()

    def row(self, kind, outcome=0, flags=0, code=0, session=0, conn=0, room=0, peer=0, seq=0, due=0, sent=0, arrived=0,
            read=0):  # fmt: skip
        self.kinds[kind, outcome] += 1
        struct.pack(
            "<BBHiIIIIqqqqq", kind, outcome, flags, code, session, conn, room, peer, seq, due, sent, arrived, read
        )
        if kind is Kind.OPEN:
            self.opens.setdefault(session, []).append((outcome, code))
        elif kind is Kind.CLOSE:
            self.closes.setdefault(session, []).append((peer, code))

    def name_code(self, code, at_ns):
        """Codes are named elsewhere."""

    def evidence(self, at_ns, kind, code, text, **more):
        text.encode()


class Chance(random.Random):
    """What one stream is made of."""

    def noise(self, longest=300):
        return self.randbytes(self.randrange(longest))

    def mutated(self, data):
        """The data with a few small wrongs in it."""
        data = bytearray(data)
        for _ in range(self.choice((1, 1, 1, 2, 5))):
            at = self.randrange(len(data) + 1)
            kind = self.randrange(7)
            if kind == 0 and data:
                data[at % len(data)] ^= 1 << self.randrange(8)
            elif kind == 1 and data:
                data[at % len(data)] = self.choice((0, 0x7F, 0x80, 0xFF, 0x81, 0x88))
            elif kind == 2:
                data[at:at] = self.noise(12)
            elif kind == 3:
                del data[at : at + self.randrange(1, 20)]
            elif kind == 4:
                data[at:at] = data[at : at + self.randrange(1, 40)]
            elif kind == 5:
                del data[at:]
            else:
                data[at:at] = self.choice((b"\r\n", b"\r\n\r\n", b"\x88\x01x", b"\x81\xff" + b"\xff" * 8, b"\x89\x00"))
        return bytes(data)

    def frames(self, deflated):
        """A few frames, mostly right, some wrong by construction."""
        data = b""
        for _ in range(self.randrange(6)):
            data += self.choice(FRAMES)(self)
            if deflated is not None and self.random() < 0.4:
                data += Frame(Opcode.TEXT, self.noise(200)).serialize(mask=False, extensions=[deflated])
        return data


def _close(chance):
    if chance.random() < 0.5:
        return close_frame(chance.choice((1000, 1001, 1011, 1012, 4000)), "bye" * chance.randrange(40))
    data = chance.noise(126)  # any code or none, any reason
    return bytes((0x88, len(data))) + data


def _json(chance):
    requests = [f"f-{chance.randrange(5)}-{chance.randrange(5)}", "x", "", 7, None]
    actions = ["ack", "message", "error", "welcome", "nonsense"]
    body = '{"version":"1.0","action":"%s","requestId":%s,"roomId":"room-0","payload":{"code":%s,"text":"é"}}'
    request = chance.choice(requests)
    quoted = "null" if request is None else f'"{request}"' if isinstance(request, str) else str(request)
    return text((body % (chance.choice(actions), quoted, chance.choice(("400", '"x"', "1e400", "-1")))).encode())


FRAMES = (
    lambda chance: text(b"hello"),
    _json, _json, _json,
    lambda chance: text(chance.noise(), opcode=Opcode.BINARY),
    lambda chance: text(chance.noise()),  # seldom UTF-8
    lambda chance: text("grün".encode()[:3], fin=False) + text("grün".encode()[3:], opcode=Opcode.CONT),
    lambda chance: text(b"part", fin=False),
    lambda chance: text(b"part", opcode=Opcode.CONT, fin=chance.random() < 0.5),
    lambda chance: text(chance.noise(126), opcode=Opcode.PING),
    lambda chance: text(chance.noise(126), opcode=Opcode.PONG),
    lambda chance: b"\x8a\x04" + chance.randrange(4).to_bytes(4, "big"),
    _close,
    lambda chance: text(b"x" * chance.choice((125, 126, 65535, 65536))),
    lambda chance: Frame(Opcode.TEXT, b"masked").serialize(mask=True),
    lambda chance: bytes((0x81, 127)) + chance.randbytes(8),
    lambda chance: bytes((0xC1, 3)) + chance.randbytes(3),
    lambda chance: bytes((0x80 | chance.randrange(3, 8), 0)),
    lambda chance: bytes((0x89, 126, 0, 200)) + bytes(200),
)  # fmt: skip


class Fuzz:
    """Plays streams against sessions; `play` raises AssertionError with what is wrong about one."""

    def __init__(self, seed, directory):
        self.seed = seed
        self.bench = PairBench()
        self.rows = Rows()
        authority = Authority(directory)
        pair = authority.sign("127.0.0.1")
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server.load_cert_chain(pair.cert, pair.key)
        self.client = make_context(ca_file=str(authority.ca_file))
        self.contexts = {way: self._context(way) for way, _ in WAYS}

    def _context(self, way):
        plan = build_plan({"endpoint": {"url": "ws://127.0.0.1:1/x"}, "load": {"sessions": 10, "rooms": 2}})
        route = Route(
            NOWHERE,
            proxy_request=CONNECT if way == "proxy" else b"",
            tls=self.client if way == "tls" else None,
            server_name="127.0.0.1",
        )
        options = Options(
            route,
            open_timeout_ns=OPEN_NS,
            max_message_bytes=100_000,
            extensions=(ClientPerMessageDeflateFactory(client_max_window_bits=9),) if way == "deflate" else (),
            ping_every_ns=PING_NS if way == "ping" else 0,
            ping_timeout_ns=PING_NS if way == "ping" else 0,
        )
        return Context(
            plan, "f", self.bench.clock, self.bench.sockets, self.rows, make_dialect(plan.endpoint),
            Access(plan.endpoint, "f"), options, Tally(2, True),
        )  # fmt: skip

    def play(self, number):
        """One stream against one session, from its opening to its recorded end."""
        chance = Chance(f"{self.seed}-{number}")
        way = chance.choices([way for way, _ in WAYS], [share for _, share in WAYS])[0]
        session = Session(self.contexts[way], number)
        session.open(1)
        wire = Wire(self.bench, session._socket, self.server if way == "tls" else None)
        try:
            self._converse(chance, way, session, wire)
            ended = chance.choice(("end", "vanish", "stay", "stay"))
            if ended == "end":
                wire.end()
            elif ended == "vanish":
                wire.close()
            self._let_time_pass(session, chance, wire)
        finally:
            wire.close()
            self.bench.sockets.peers.clear()
        self._judge(number, session, wire)

    def _converse(self, chance, way, session, wire):
        """The stream itself, with the session saying and doing something in between."""
        before = chance.random()
        if way == "proxy":
            wire.pour(chance.mutated(OPENED) if before < 0.4 else OPENED, chance.choice(((), (1,), (7,))))
        elif way == "tls":
            if before < 0.2:
                wire.pour(chance.noise())
                return
            if before < 0.5:
                wire.shake(chance.mutated)
            else:
                wire.shake()
        elif before < 0.1:
            wire.pour(chance.noise())
            return
        head = wire.listen()
        if b"Sec-WebSocket-Key" not in head:
            return
        deflated = None
        if way == "deflate":
            deflated = ServerPerMessageDeflateFactory().process_request_params([], [])[1]
        accepted = answer(head, DEFLATE if deflated is not None and chance.random() < 0.9 else b"")
        if before > 0.9:
            accepted = chance.choice((chance.mutated(accepted), chance.mutated(REFUSED), REFUSED))
        frames = chance.frames(deflated)
        if chance.random() < 0.5:
            frames = chance.mutated(frames)
        if chance.random() < 0.2:
            frames += chance.noise()
        cuts = chance.choice(((), (), (1,), (2, 3, 50), (chance.randrange(1, 400),)))
        together = chance.random() < 0.3
        wire.feed(accepted + frames if together else accepted, cuts)
        if not together and session.is_open:
            self._act(chance, session)
            sealed = wire.sealed(frames)
            wire.pour(chance.mutated(sealed) if way == "tls" and chance.random() < 0.5 else sealed, cuts)
        if session.is_open and chance.random() < 0.5:
            self._act(chance, session)

    def _act(self, chance, session):
        """The session itself does something in the middle."""
        what = chance.randrange(9)
        socket = session.take_socket()
        if what < 4:
            session.publish(0, "hello" * chance.choice((1, 1, 20_000)), 1)
        elif what == 4:
            session.join(0, lambda outcome, code: None)
        elif what == 5:
            session.close()
        elif socket is not None:
            (socket.reset, socket.half_close, socket.silence)[what - 6]()

    def _let_time_pass(self, session, chance, wire):
        """Whatever happened, the session comes to its end by the clock alone, or by closing as at the end of a run."""
        self.bench.clock.advance(OPEN_NS + 1)
        if session.is_open and chance.random() < 0.5:
            self.bench.clock.advance(PING_NS)
            wire.feed(b"\x8a\x04" + chance.choice((1, 1, 2)).to_bytes(4, "big"))
        if session.is_open and chance.random() < 0.5:
            self.bench.clock.advance(2 * PING_NS)
        if session.is_open:
            session.close()
        self.bench.clock.advance(10 * SECOND)
        session.expire(1 << 62)

    def _judge(self, number, session, wire):
        opens, closes = self.rows.opens.pop(number, []), self.rows.closes.pop(number, [])
        assert not self.bench.failures, self.bench.failures
        assert len(opens) == 1, f"{len(opens)} rows of opening"
        assert len(closes) == (opens[0][0] is Outcome.OK), f"{len(closes)} rows of closing after {opens}"
        assert not session.is_open, "still open"
        assert not session.is_waiting, "something is still in flight"
        assert wire.connection._stream.stage is Stage.CLOSED or wire.was_silenced, "the stream is still there"
        if wire.was_silenced:
            wire.connection.reset()
        assert wire.connection.socket.fileno() < 0, "the socket is still there"
        assert self.bench.sockets.unsent_bytes == 0, "bytes are still counted as unsent"


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def fuzz(streams, seed, say=lambda text: None):
    """Play streams 0 to `streams` - 1; what they came to, by kind of row and outcome.

    Raises:
        AssertionError: one did not end as it must, or something was left behind.
    """
    with tempfile.TemporaryDirectory() as directory:
        player = Fuzz(seed, Path(directory))
        player.play(0)
        gc.collect()
        before = descriptors()
        for number in range(1, streams):
            try:
                player.play(number)
            except BaseException as error:
                error.add_note(
                    f"stream {number} of seed {seed}: python -m tests.transport.fuzzing --seed {seed} --only {number}"
                )
                raise
            if number % 5_000 == 0:
                say(f"{number} streams")
        left = descriptors() - before
        assert left <= 0, f"{left} descriptors leaked"
        player.bench.finish()
        return player.rows.kinds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("streams", type=int, nargs="?", default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    asked = parser.parse_args()
    began = time.monotonic()
    if asked.only is not None:
        with tempfile.TemporaryDirectory() as directory:
            Fuzz(asked.seed, Path(directory)).play(asked.only)
        return
    kinds = fuzz(asked.streams, asked.seed, lambda text: print(text, file=sys.stderr, flush=True))
    print(f"{asked.streams} streams of seed {asked.seed} in {time.monotonic() - began:.0f} s: each ended in a record")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, no descriptor left")
    for (kind, outcome), count in sorted(kinds.items()):
        print(f"  {Kind(kind).name.lower():10} {Outcome(outcome).name.lower():10} {count}")


if __name__ == "__main__":
    main()
