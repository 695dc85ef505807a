"""A hybrid conversation: what goes by POST and what by WebSocket, and that the two end together."""

import gevent
import pytest

from harness.client.patterns.hybrid import Hybrid
from harness.record.row import Closer, Kind, Outcome, SignalKind
from harness.transport.websocket import WebSocket


@pytest.fixture
def hybrid(make_bench, server):
    """A bench whose conversation is a hybrid one, open."""
    bench = make_bench(server)
    client = bench.client
    heard = []

    def connect(listener, number, entry):
        socket = WebSocket(bench.sockets, listener, bench.options)
        socket.connect(number, entry.uri, entry.headers, entry.subprotocols)
        return socket

    def received(data, when):
        for signal in bench.dialect.decode(data):
            heard.append(signal)

    client.received = received
    client.ponged = lambda pong, when: None
    bench.heard = heard
    bench.pattern = Hybrid(bench.origin, bench.dialect, "n", connect)
    bench.conversation = bench.pattern.begin(client, bench.access.entry(client.number, 0))
    bench.until(lambda: client.open)
    return bench


def join(bench):
    receipt = bench.receipt(Kind.JOIN)
    message = bench.message(receipt)
    bench.conversation.send(bench.pattern.dialect.join(message), receipt)
    bench.until(lambda: any(signal.kind is SignalKind.ACK for signal in bench.heard))


def test_joining_goes_by_websocket_and_a_message_by_post_and_what_is_said_comes_back(hybrid):
    join(hybrid)
    said, outcome, _ = hybrid.ask(Kind.PUBLISH)
    assert outcome is Outcome.OK
    hybrid.until(lambda: any(signal.id == f"n-3-{said.seq}" for signal in hybrid.heard))
    assert hybrid.conversation.socket is not None


def test_a_malformed_post_is_refused_by_its_status(hybrid):
    receipt = hybrid.send(Kind.PROBE, data=b"{")
    hybrid.until(lambda: hybrid.client.outcome(receipt))
    assert hybrid.client.outcome(receipt) == (Outcome.REJECTED, 400)


@pytest.mark.parametrize("end", ["close", "reset", "half_close", "silence"])
def test_both_connections_end_together_and_it_is_told_once(hybrid, end):
    join(hybrid)
    hybrid.ask(Kind.PUBLISH)
    getattr(hybrid.conversation, end)()
    hybrid.until(lambda: hybrid.client.endings)
    assert [ending.closer for ending in hybrid.client.endings] == [Closer.US]
    late = hybrid.receipt(Kind.PUBLISH)
    assert not hybrid.conversation.send(b"{}", late)
    gevent.sleep(0.05)
    assert hybrid.client.outcome(late) is None
    hybrid.conversation.reset()
    assert len(hybrid.client.endings) == 1


def test_an_option_is_set_on_both_sockets(hybrid):
    hybrid.ask(Kind.PUBLISH)
    websocket, commands = hybrid.conversation.websocket.socket, hybrid.conversation._posts.connection.socket
    assert websocket.fileno() != commands.fileno()
    import socket

    hybrid.conversation.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert websocket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert commands.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
