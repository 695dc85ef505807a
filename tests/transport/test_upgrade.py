"""The shortcuts of the upgrade say and accept what the library would, and nothing else."""

import pytest
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from harness.record.row import Outcome
from harness.transport.options import Options, Route
from harness.transport.upgrade import Upgrades
from harness.transport.websocket import Phase
from tests.transport.pairs import Line, PairBench
from tests.transport.serving import answer, text

OPTIONS = Options(Route(()))
DATE = b"Date: Tue, 24 Nov 2026 10:00:00 GMT\r\n"


@pytest.fixture
def pairs():
    bench = PairBench()
    yield bench
    bench.finish()
    assert not bench.failures


def by_the_library(url, headers, subprotocols, key):
    protocol = ClientProtocol(parse_uri(url), subprotocols=list(subprotocols) or None)
    protocol.key = key
    asked = protocol.connect()
    for name, value in headers.items():
        if name in asked.headers:
            del asked.headers[name]
        asked.headers[name] = value.encode().decode("latin-1")
    protocol.send_request(asked)
    return b"".join(protocol.data_to_send())


@pytest.mark.parametrize("subprotocols", [(), ("json", "bearer.abc")])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer abc", "X-Room": "{1}"},
        {"host": "elsewhere.test", "User-Agent": "squall"},
        {"Sec-WebSocket-Key": "of the plan"},
        {"X-Twice": "1", "x-twice": "2"},
        {"X-Name": "Zoë", "X-Tab": "a\tb"},
    ],
)
@pytest.mark.parametrize("url", ["ws://127.0.0.1:8000", "wss://me:pass@e.test/a/b?session=7", "ws://[::1]:81/?x"])
def test_a_request_is_the_library_s_byte_for_byte_the_first_time_and_the_next(url, headers, subprotocols):
    upgrades = Upgrades()
    for _ in range(2):
        asked = upgrades.ask(OPTIONS, parse_uri(url), headers, subprotocols)
        assert asked.request == by_the_library(url, headers, subprotocols, asked.key)


def test_requests_to_other_hosts_and_with_other_subprotocols_do_not_get_the_head_of_the_one_before():
    upgrades = Upgrades()
    for url, subprotocols in (
        ("ws://a.test/", ()),
        ("ws://b.test/", ()),
        ("ws://b.test/", ("x",)),
        ("ws://a.test/", ()),
    ):
        asked = upgrades.ask(OPTIONS, parse_uri(url), {}, subprotocols)
        assert asked.request == by_the_library(url, {}, subprotocols, asked.key)


def test_every_request_has_a_key_of_its_own():
    upgrades = Upgrades()
    keys = {upgrades.ask(OPTIONS, parse_uri("ws://a.test/"), {}, ()).key for _ in range(100)}
    assert len(keys) == 100


def test_what_is_asked_for_does_not_show_the_token_in_it():
    asked = Upgrades().ask(OPTIONS, parse_uri("ws://a.test/"), {"Authorization": "Bearer secret"}, ("secret",))
    assert "secret" not in repr(asked)


def learned(more=b""):
    """An answer that was learned, the next upgrade to ask for, and its answer."""
    upgrades = Upgrades()
    asked = upgrades.ask(OPTIONS, parse_uri("ws://a.test/"), {}, ())
    said = answer(asked.request, more)
    core = asked.core(OPTIONS)
    core.receive_data(said)
    upgrades.learn(core, said)
    asked = upgrades.ask(OPTIONS, parse_uri("ws://a.test/"), {}, ())
    return upgrades, asked, answer(asked.request, more)


@pytest.mark.parametrize("tail", [b"", b"\x81\x01x", b"\r\n"])
def test_an_answer_like_the_last_is_known_and_ends_where_it_ends(tail):
    upgrades, asked, said = learned(DATE)
    assert upgrades.accepted(asked, memoryview(said + tail), len(said + tail)) == len(said)


def test_an_answer_that_differs_in_any_one_byte_is_left_to_the_library():
    upgrades, asked, said = learned(DATE)
    for at in range(len(said)):
        other = bytearray(said)
        other[at] ^= 1
        assert not upgrades.accepted(asked, memoryview(other), len(other)), at


def test_an_answer_that_is_not_all_there_or_to_another_s_key_is_left_to_the_library():
    upgrades, asked, said = learned()
    for count in range(len(said)):
        assert not upgrades.accepted(asked, memoryview(said), count)
    other = upgrades.ask(OPTIONS, parse_uri("ws://a.test/"), {}, ())
    assert not upgrades.accepted(other, memoryview(said), len(said))


def test_nothing_is_known_before_an_answer_was_accepted():
    upgrades = Upgrades()
    asked = upgrades.ask(OPTIONS, parse_uri("ws://a.test/"), {}, ())
    assert not upgrades.accepted(asked, memoryview(b""), 0)


def test_an_answer_that_granted_a_subprotocol_is_not_known_to_whoever_did_not_ask(pairs):
    granting = b"Sec-WebSocket-Protocol: x\r\n"
    upgrades = pairs.sockets.upgrades
    asked = upgrades.ask(OPTIONS, parse_uri("ws://127.0.0.1/x"), {}, ("x",))
    core = asked.core(OPTIONS)
    core.receive_data(answer(asked.request, granting))
    assert core.subprotocol == "x"
    upgrades.learn(core, answer(asked.request, granting))
    line = Line(pairs)
    line.feed(line.answer(granting))
    assert line.witness.refusal.outcome is Outcome.GARBLED


@pytest.mark.parametrize("cuts", [(), (1,), (150,)])
def test_the_second_connection_hears_what_came_with_its_answer(pairs, cuts):
    for _ in range(2):
        line = Line(pairs)
        line.feed(line.answer(DATE) + text(b"one") + text(b"tw", fin=False), cuts)
        assert (line.witness.opened_times, line.witness.messages) == (1, [b"one"])
        line.feed(b"\x80\x01o", cuts)
        assert line.witness.messages == [b"one", b"two"]
        line.end()
        assert line.connection.phase >= Phase.ENDED
        assert line.witness.ending is not None
