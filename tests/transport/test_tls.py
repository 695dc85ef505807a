"""TLS: what is trusted and what is not, what that is in a record, and that stamps stay the kernel's."""

import contextlib
import socket
import ssl
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.record.row import Closer, Flag, Outcome
from harness.transport.options import Route
from harness.transport.tls import RecordLengths
from harness.transport.trust import make_context
from tests.transport.authority import Authority
from tests.transport.conftest import Bench, Trust, serve_with
from tests.transport.serving import accept, close_frame, read_to_end, text
from tests.waiting import until

LOCAL = Route((), server_name="127.0.0.1")


@pytest.fixture
def benches():
    """Makes benches with a trust of their own, and finishes them."""
    made = []

    def make(client, server):
        made.append(Bench(Trust(client, server)))
        return made[-1]

    yield make
    for bench in made:
        bench.finish()


def stay(peer):
    accept(peer)
    read_to_end(peer)


def refusal(bench, behave=stay, route=LOCAL, **wishes):
    bench.connect(behave, route=route, **wishes)
    bench.until(lambda: bench.witness.refusals)
    assert not bench.witness.opening
    return bench.witness.refusals[0]


def test_an_authority_that_is_not_ours_is_not_trusted(benches, authority, tmp_path):
    stranger = Authority(tmp_path, "somebody else")
    bench = benches(make_context(ca_file=str(stranger.ca_file)), serve_with(authority.sign("127.0.0.1")))
    why = refusal(bench)
    assert (why.outcome, why.code) == (Outcome.GARBLED, 20)
    assert "certificate is not accepted: unable to get local issuer certificate" in why.text
    bench.until(lambda: bench.mishaps)
    assert "alert" in str(bench.mishaps[0]).lower()  # the endpoint is told why


def test_without_a_ca_file_the_systems_authorities_are_asked(benches, authority):
    assert refusal(benches(make_context(), serve_with(authority.sign("127.0.0.1")))).code == 20


def test_an_expired_certificate_is_not_accepted(benches, authority):
    pair = authority.sign("127.0.0.1", begins_days=-9, ends_days=-1)
    why = refusal(benches(make_context(ca_file=str(authority.ca_file)), serve_with(pair)))
    assert (why.outcome, why.code) == (Outcome.GARBLED, 10)
    assert "expired" in why.text


def test_a_certificate_for_another_name_is_not_accepted(benches, authority):
    why = refusal(benches(make_context(ca_file=str(authority.ca_file)), serve_with(authority.sign("elsewhere.test"))))
    assert why.outcome is Outcome.GARBLED
    assert "127.0.0.1" in why.text


def test_insecure_accepts_all_of_these(benches, authority):
    pair = authority.sign("elsewhere.test", begins_days=-9, ends_days=-1)
    bench = benches(make_context(insecure=True), serve_with(pair))
    connection = bench.connect(stay, route=LOCAL)
    bench.until(lambda: bench.witness.opening)
    connection.reset()


def test_another_server_name_is_asked_for_and_verified(benches, authority):
    asked = []
    server = serve_with(authority.sign("elsewhere.test"))
    server.sni_callback = lambda sock, name, context: asked.append(name)
    bench = benches(make_context(ca_file=str(authority.ca_file)), server)
    connection = bench.connect(stay, route=Route((), server_name="elsewhere.test"))
    bench.until(lambda: bench.witness.opening)
    assert asked == ["elsewhere.test"]
    connection.reset()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_endpoint_that_wants_a_client_certificate_refuses_without_and_opens_with_one(benches, authority, version):
    server = serve_with(authority.sign("127.0.0.1"), cafile=str(authority.ca_file))
    server.verify_mode = ssl.CERT_REQUIRED
    server.maximum_version = version
    ca_file = str(authority.ca_file)
    why = refusal(benches(make_context(ca_file=ca_file), server))
    assert why.outcome in (Outcome.REJECTED, Outcome.CLOSED)  # its alert may be overtaken by its reset
    if why.outcome is Outcome.REJECTED:
        assert "refused the TLS connection" in why.text
    mine = authority.sign("client.test", password=b"sesame")
    context = make_context(ca_file=ca_file, cert_file=str(mine.cert), key_file=str(mine.key), key_password="sesame")
    bench = benches(context, server)
    connection = bench.connect(stay, route=LOCAL)
    bench.until(lambda: bench.witness.opening)
    connection.reset()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "wants ws://"),
        (b"\x00" * 600, "wants ws://"),
        (b"\x16\x03\x03\x00\x05hello", "TLS failed"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "refused the TLS connection"),
        (b"\x16\x03\x03\xff\xff" + b"x" * 600, "TLS failed"),
    ],
)
def test_what_does_not_speak_tls_is_told_apart(plain, authority, said, words):
    def behave(peer):
        peer.recv(4096)
        peer.sendall(said)
        read_to_end(peer)

    route = Route((), tls=make_context(ca_file=str(authority.ca_file)), server_name="127.0.0.1")
    why = refusal(plain, behave, route)
    assert words in why.text
    assert why.outcome is (Outcome.REJECTED if "refused" in words else Outcome.GARBLED)


def test_an_end_in_the_middle_of_the_handshake_is_a_closed_connection(plain, authority):
    route = Route((), tls=make_context(ca_file=str(authority.ca_file)), server_name="127.0.0.1")
    why = refusal(plain, lambda peer: peer.recv(4096), route)
    assert (why.outcome, why.code) == (Outcome.CLOSED, 0)
    assert "during the TLS handshake" in why.text


def test_a_tls_handshake_that_dribbles_expires_and_says_what_was_waited_for(plain, authority):
    def behave(peer):
        with contextlib.suppress(OSError):
            for sign in b"\x16\x03\x03\x00\x7a" + bytes(60):
                peer.sendall(bytes([sign]))
                time.sleep(0.05)

    route = Route((), tls=make_context(ca_file=str(authority.ca_file)), server_name="127.0.0.1")
    why = refusal(plain, behave, route, timeout_s=0.2)
    assert why.outcome is Outcome.EXPIRED
    assert "no end of the TLS handshake" in why.text


def test_bytes_that_do_not_decrypt_end_an_open_connection_after_what_came_before_them(benches, trust):
    def behave(peer):
        accept(peer)
        peer.sendall(text(b"last words"))
        socket.socket.sendall(peer, b"\x17\x03\x03\x00\x20" + bytes(32))  # below TLS
        read_to_end(peer)

    bench = benches(trust.client, trust.server)
    bench.connect(behave, route=LOCAL)
    bench.until(lambda: bench.witness.endings)
    end, _ = bench.witness.endings[0]
    assert (end.closer, end.code, end.outcome) == (Closer.GARBLED, 1015, Outcome.CLOSED)
    assert [data for data, _ in bench.witness.messages] == [b"last words"]


def test_a_message_with_part_of_a_further_record_behind_it_has_no_exact_arrival(benches, trust):
    go = []

    def behave(peer):
        accept(peer)
        until(lambda: go)
        peer.sendall(text(b"whole"))
        socket.socket.sendall(peer, b"\x17\x03\x03\x01\x00" + bytes(9))
        read_to_end(peer)

    bench = benches(trust.client, trust.server)
    connection = bench.connect(behave, route=LOCAL)
    bench.until(lambda: bench.witness.opening)
    go.append(True)
    time.sleep(0.2)  # the hub does not run: both are read at once
    bench.until(lambda: bench.witness.messages)
    assert bench.witness.messages[0][1].flags == Flag.BOUNDED
    connection.reset()


def test_an_orderly_end_says_goodbye_in_tls_too(benches, trust):
    seen = []

    def behave(peer):
        peer.suppress_ragged_eofs = False
        accept(peer)
        peer.sendall(close_frame(1000))
        assert peer.recv(100)[0] == 0x88
        peer.shutdown(socket.SHUT_WR)  # the raw stream: what comes is read below TLS from here on
        raw = b""
        while part := socket.socket.recv(peer, 4096):
            raw += part
        seen.append(raw)

    bench = benches(trust.client, trust.server)
    bench.connect(behave, route=LOCAL)
    bench.until(lambda: seen)
    assert seen[0].startswith(b"\x17\x03\x03")  # close_notify, sealed as TLS 1.3 does
    assert bench.witness.endings[0][0].closer is Closer.ENDPOINT


@given(
    sizes=st.lists(st.integers(0, 300), min_size=1, max_size=6),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=30),
)
def test_records_are_followed_however_they_are_cut(sizes, cuts):
    stream, ends = b"", {0}
    for size in sizes:
        stream += b"\x17\x03\x03" + size.to_bytes(2, "big") + bytes(size)
        ends.add(len(stream))
    records, at, turn = RecordLengths(), 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        records.feed(memoryview(stream[at : at + step]))
        at, turn = min(at + step, len(stream)), turn + 1
        assert records.between == (at in ends)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"ca_file": "absent.pem"}, "endpoint.tls.ca_file: cannot read"),
        ({"ca_file": "words.pem"}, "is not PEM"),
        ({"ca_file": "key"}, "holds no certificate"),
        ({"cert_file": "cert", "key_file": "absent.key"}, "endpoint.tls.key_file: cannot read"),
        ({"cert_file": "cert", "key_file": "other"}, "are not a certificate and its key"),
        ({"cert_file": "cert"}, "are not a certificate and its key"),
        ({"cert_file": "locked", "key_file": "locked-key"}, "key_password_env"),
    ],
)
def test_files_that_cannot_be_used_are_told_in_one_line(authority, tmp_path, files, said):
    one, other = authority.sign("one.test"), authority.sign("other.test")
    locked = authority.sign("locked.test", password=b"sesame")
    (tmp_path / "words.pem").write_text("just words")
    known = {"key": one.key, "cert": one.cert, "other": other.key, "locked": locked.cert, "locked-key": locked.key}
    given = {name: str(known.get(file, tmp_path / file)) for name, file in files.items()}
    with pytest.raises(UsageError, match=said) as caught:
        make_context(**given)
    assert "\n" not in str(caught.value)
