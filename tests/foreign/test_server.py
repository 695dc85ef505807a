"""The foreign server does what its first lines say, and its plan describes it."""

import contextlib
import itertools
import json
import socket
import struct
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from harness.faults.payloads import Malformer
from harness.plan import load_plan
from harness.record.row import Damage, SignalKind
from harness.wire import Message, make_dialect
from tests.foreign.serving import ForeignServer
from tests.waiting import until

pytestmark = pytest.mark.slow(reason="installs and starts a chat server from npm")

PLAN = load_plan(Path(__file__).parents[2] / "plans" / "foreign-chat.toml")
SCHEMA = json.loads((Path(__file__).parents[2] / "plans" / "foreign-chat.say.json").read_text())
DIALECT = make_dialect(PLAN.endpoint)
PATIENCE_S = 20
NUMBERS = itertools.count()


class Client:
    """One conversation; every client has a name and a channel that no other test has."""

    def __init__(self, connection: ClientConnection, name: str) -> None:
        self.connection = connection
        self.name = name

    def ask(self, frame: Any) -> dict[str, Any]:
        self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))
        return self.read()

    def read(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.connection.recv(timeout=PATIENCE_S))
        return answer


@pytest.fixture
def dial(foreign: ForeignServer) -> Iterator[Callable[[], Client]]:
    with contextlib.ExitStack() as open_connections:

        def opened() -> Client:
            name = f"client-{next(NUMBERS)}"
            # No pings of our own: the server's must be enough.
            connection = connect(f"{foreign.url}?name={name}", proxy=None, ping_interval=None)
            return Client(open_connections.enter_context(connection), name)

        yield opened


@pytest.fixture
def channel() -> str:
    return f"channel-{next(NUMBERS)}"


def listed(server: ForeignServer) -> dict[str, list[str]]:
    with urllib.request.urlopen(server.clients_url, timeout=PATIENCE_S) as response:
        return {client["name"]: client["channels"] for client in json.load(response)["clients"]}


def test_what_is_said_reaches_the_others_of_the_channel_and_not_the_speaker(
    dial: Callable[[], Client], channel: str
) -> None:
    ann, bo, eve = dial(), dial(), dial()
    assert ann.ask({"type": "enter", "channel": channel, "ref": "a1"}) == {"type": "ok", "ref": "a1"}
    assert bo.ask({"type": "enter", "channel": channel, "ref": "b1"}) == {"type": "ok", "ref": "b1"}
    eve.ask({"type": "enter", "channel": f"{channel}-other", "ref": "e1"})
    assert ann.ask({"type": "say", "channel": channel, "ref": "a2", "body": "hé"}) == {"type": "ok", "ref": "a2"}
    assert bo.read() == {"type": "said", "channel": channel, "ref": "a2", "from": ann.name, "body": "hé"}
    assert ann.ask({"type": "hey", "ref": "a3"}) == {"type": "ho", "ref": "a3"}
    assert eve.ask({"type": "hey", "ref": "e2"}) == {"type": "ho", "ref": "e2"}


def test_who_has_left_hears_nothing_and_may_not_speak(dial: Callable[[], Client], channel: str) -> None:
    ann, bo = dial(), dial()
    for client in (ann, bo):
        client.ask({"type": "enter", "channel": channel, "ref": "in"})
    assert bo.ask({"type": "exit", "channel": channel, "ref": "out"}) == {"type": "ok", "ref": "out"}
    assert ann.ask({"type": "say", "channel": channel, "ref": "a", "body": "x"})["type"] == "ok"
    refused = bo.ask({"type": "say", "channel": channel, "ref": "b", "body": "x"})
    assert (refused["type"], refused["ref"], refused["code"]) == ("err", "b", 4004)


REFUSALS: list[tuple[Any, int, str | None]] = [
    ("hello", 4000, None),
    ("", 4000, None),
    ('{"type":"say","ref":"r1"', 4000, "r1"),
    (b'{"type":"hey","ref":"r1"}', 4000, None),
    ([{"type": "hey", "ref": "r1"}], 4001, None),
    ("null", 4001, None),
    ({"ref": "r1"}, 4002, "r1"),
    ({"type": "toString", "ref": "r1"}, 4002, "r1"),
    ({"type": "hey"}, 4003, None),
    ({"type": "hey", "ref": "r1", "more": 1}, 4003, "r1"),
    ({"type": "say", "channel": "c", "ref": "r1"}, 4003, "r1"),
    ({"type": "say", "channel": "c", "ref": "r1", "body": 7}, 4003, "r1"),
    ({"type": "say", "channel": "c", "ref": "r1", "body": "x" * 100_001}, 4003, "r1"),
]


@pytest.mark.parametrize(("frame", "code", "ref"), REFUSALS, ids=lambda value: str(value)[:40])
def test_a_bad_frame_is_refused_by_its_code_and_the_client_stays(
    dial: Callable[[], Client], frame: Any, code: int, ref: str | None
) -> None:
    client = dial()
    refused = client.ask(frame)
    assert (refused["type"], refused["code"], refused.get("ref")) == ("err", code, ref)
    assert client.ask({"type": "hey", "ref": "after"}) == {"type": "ho", "ref": "after"}


def test_every_kind_of_malformed_payload_is_refused_with_a_code_of_the_plan(
    dial: Callable[[], Client], channel: str
) -> None:
    client = dial()
    client.ask({"type": "enter", "channel": channel, "ref": "in"})
    malformer = Malformer(SCHEMA, seed=1)
    kinds = set()
    for seq in range(20):
        valid = DIALECT.publish(Message(f"k3-7-{seq}", seq, channel, "hi"))
        kind, data = malformer.damage(valid)
        client.connection.send(data.decode())
        (signal,) = DIALECT.decode(client.connection.recv(timeout=PATIENCE_S, decode=False))
        assert signal.kind is SignalKind.ERROR, kind.label
        assert signal.code in PLAN.contract.malformed_codes, kind.label
        assert signal.id in (f"k3-7-{seq}", None), kind.label
        kinds.add(kind)
    assert kinds == set(Damage)


def test_the_plan_s_dialect_speaks_to_the_server(dial: Callable[[], Client], channel: str) -> None:
    ann, bo = dial(), dial()

    def told(client: Client, frame: bytes | None = None) -> tuple[SignalKind, str | None, str | None, str | None]:
        if frame is not None:
            client.connection.send(frame.decode())
        (signal,) = DIALECT.decode(client.connection.recv(timeout=PATIENCE_S, decode=False))
        return signal.kind, signal.id, signal.room, signal.sender

    for client in (ann, bo):
        assert told(client, DIALECT.join(Message("k3-1-1", 1, channel))) == (SignalKind.ACK, "k3-1-1", None, None)
    assert told(ann, DIALECT.publish(Message("k3-1-2", 2, channel, "hi"))) == (SignalKind.ACK, "k3-1-2", None, None)
    assert told(bo) == (SignalKind.DELIVERY, "k3-1-2", channel, ann.name)
    assert told(bo, DIALECT.ping(Message("k3-2-3", 3))) == (SignalKind.PONG, "k3-2-3", None, None)
    assert told(bo, DIALECT.leave(Message("k3-2-4", 4, channel))) == (SignalKind.ACK, "k3-2-4", None, None)


def test_the_list_of_clients_names_them_and_their_channels(
    dial: Callable[[], Client], foreign: ForeignServer, channel: str
) -> None:
    client = dial()
    assert listed(foreign)[client.name] == []
    client.ask({"type": "enter", "channel": channel, "ref": "in"})
    assert listed(foreign)[client.name] == [channel]
    client.connection.close()
    until(lambda: client.name not in listed(foreign))


def test_a_client_that_resets_is_forgotten(dial: Callable[[], Client], foreign: ForeignServer) -> None:
    client = dial()
    assert client.name in listed(foreign)
    client.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.connection.socket.shutdown(socket.SHUT_RD)
    client.connection.socket.close()
    until(lambda: client.name not in listed(foreign))


def test_a_client_that_answers_pings_stays_and_one_that_does_not_is_terminated(
    dial: Callable[[], Client], foreign: ForeignServer
) -> None:
    alive = dial()
    host, port = foreign.url.removeprefix("ws://").removesuffix("/chat").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as silent:
        silent.sendall(
            f"GET /chat?name=silent HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert silent.recv(4096).startswith(b"HTTP/1.1 101")
        assert "silent" in listed(foreign)
        until(lambda: "silent" not in listed(foreign))
    assert alive.name in listed(foreign)
    assert alive.ask({"type": "hey", "ref": "a"}) == {"type": "ho", "ref": "a"}


def test_a_frame_above_the_limit_closes_the_connection(dial: Callable[[], Client]) -> None:
    client = dial()
    with pytest.raises(ConnectionClosed) as closed:
        client.ask("x" * (128 * 1024 + 1))
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_the_plan_is_whole_and_names_the_server_s_protocol() -> None:
    assert (DIALECT.acks, DIALECT.joins, DIALECT.leaves, DIALECT.pings) == ("frame", True, True, True)
    assert {fault.fault_name for fault in PLAN.chaos} == {"reset", "half-open", "fin", "malformed"}
    assert (PLAN.observe.list_path, PLAN.observe.key_path) == ("clients", "name")
    assert not PLAN.contract.delivers_to_sender
