"""A polling session's conversation against a real server, with a client that only remembers."""

import gevent
import pytest

from harness.auth import Access
from harness.client.patterns.polling import Polling
from harness.client.patterns.rest_endpoint import make_rest_endpoint
from harness.client.receipts import Receipt
from harness.plan import build_plan
from harness.record.row import Kind
from harness.transport.clock import Clock
from harness.transport.connection_options import find_addresses, make_options
from harness.transport.http_client import HttpClient
from harness.transport.sockets import Sockets
from harness.wire import Message, make_dialect
from tests.waiting import until

PATIENCE_S = 40
ROOMS = ["room-0", "room-1"]


class Client:
    """A session that only remembers what it is told."""

    def __init__(self, number=3):
        self.number, self.conn = number, 0
        self.told = []
        self.open = []
        self.signals = []
        self.polls = []
        self.endings = []
        self.seq = 0
        self.given_up = set()

    def opened(self, sent, when, flags=0):
        self.open.append((sent, when, flags))

    def refused(self, why, sent, when):
        self.open.append(why)

    def heard(self, signal, when, data=b""):
        self.signals.append((signal, when))

    def answered(self, receipt, outcome, code, reason, when):
        self.told.append((receipt, outcome, code, reason, when))

    def awaits(self, receipt):
        return receipt.seq not in self.given_up

    def fetched(self, room, outcome, code, messages, due, sent, when):
        self.polls.append((room, outcome, code, messages, due, sent, when))

    def closed(self, end, when):
        self.endings.append(end)

    def outcome(self, receipt):
        return next((told[1:3] for told in self.told if told[0] is receipt), None)


class Bench:
    """One polling session; `url` is its server's."""

    def __init__(self, url, auth=None, **rest):
        endpoint = {"url": url.replace("http", "ws") + "/ws", "rest": rest, "answer_timeout_s": 3.0}
        if auth is not None:
            endpoint["auth"] = auth
        self.plan = build_plan({"endpoint": endpoint})
        self.failures = []
        self.clock = Clock()
        self.clock.failure = self.failures.append
        self.sockets = Sockets(self.clock, self.failures.append)
        self.dialect = make_dialect(self.plan.endpoint)
        self.logins = []
        self.access = access = Access(
            self.plan.endpoint,
            "n",
            10,
            witness=lambda whose, outcome, *more: self.logins.append(outcome),
            http=HttpClient,
        )
        self.options = options = make_options(
            self.plan.endpoint, access.port, find_addresses(self.plan.endpoint, access.port), access.redaction
        )
        self.origin = make_rest_endpoint(self.plan.endpoint, self.dialect, self.sockets, access, options, ROOMS)
        self.pattern = Polling(self.origin, self.plan.endpoint.rest, self.dialect, "n")
        self.client = Client()

    def begin(self, client=None):
        self.conversation = self.pattern.begin(client or self.client, None)
        self.until(lambda: (client or self.client).open)
        return self.conversation

    def receipt(self, kind, room=0):
        self.client.seq += 1
        return Receipt(kind, self.client.seq, 0, 0, 1 << 62, room)

    def ask(self, kind, room=0):
        """Ask and wait for the answer: (receipt, outcome, code)."""
        receipt = self.send(kind, room)
        self.until(lambda: self.client.outcome(receipt))
        return receipt, *self.client.outcome(receipt)

    def message(self, receipt):
        return Message(id=f"n-{self.client.number}-{receipt.seq}", seq=receipt.seq, room=ROOMS[receipt.room], text="hi")

    def send(self, kind, room=0, data=None):
        receipt = self.receipt(kind, room)
        body = self.pattern.dialect.publish(self.message(receipt)) if kind is Kind.PUBLISH else b""
        self.conversation.send(body if data is None else data, receipt)
        return receipt

    def until(self, happened):
        until(happened, PATIENCE_S, gevent.sleep)

    def finish(self):
        if self.client.open and not self.client.endings:
            self.conversation.reset()
        self.access.close()
        self.clock.close()
        assert not self.failures, self.failures


@pytest.fixture
def make_bench():
    benches = []

    def make(url, **rest):
        benches.append(Bench(url, **rest))
        return benches[-1]

    yield make
    for bench in benches:
        bench.finish()


@pytest.fixture(scope="module")
def server():
    from tests.client.patterns.serving import rooms_server

    with rooms_server() as url:
        yield url
