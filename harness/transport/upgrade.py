"""The upgrade: the request that opens a WebSocket, and what its answer means.

Pure. `websockets` writes the request and judges the answer, but not ten thousand times: it makes the head of a request
once, and later requests differ only in path, key and the plan's headers; an answer that it has accepted is accepted
again without it if it differs only in `Sec-WebSocket-Accept`, which is computed from the key (RFC 6455 4.2.2). That
takes a quarter of the time. Subtle: such an answer must not have granted anything that was asked for (an extension, a
subprotocol), because another request might not have asked for it. An answer that is not HTTP at all is recognised by
its first bytes, since the most common mistake is a `ws://` url for an endpoint that speaks TLS.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from typing import cast as typed

from websockets.client import ClientProtocol
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI
from websockets.utils import accept_key, generate_key

from ..record.row import Outcome
from .events import Refusal
from .options import Options

BODY_BYTES = 500
TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
HEAD_ENDS = b"\r\n\r\n"
LOGGER = logging.getLogger("websockets.client")
NOWHERE = WebSocketURI(False, "", 80, "", "")
"""A core that asks for nothing needs no url; one each would cost 300 bytes a session."""


class Asked(NamedTuple):
    """An upgrade to ask for, until it is answered."""

    key: str
    subprotocols: tuple[str, ...]
    request: bytes

    def __repr__(self) -> str:
        return f"Asked({len(self.request)} bytes)"  # they may hold a token

    def core(self, options: Options, state: State = State.CONNECTING) -> ClientProtocol:
        """The core that is to read the answer; or, when that was OPEN, what comes after it."""
        protocol = _core(options, NOWHERE, self.subprotocols, state)
        protocol.key = self.key
        return protocol


class Upgrades:
    """Asks for the upgrades of one process; remembers the last head asked with, and the last answer accepted."""

    def __init__(self) -> None:
        self._same: tuple[object, ...] = ()
        self._names: frozenset[str] = frozenset()
        self._head: list[bytes] = []
        """The head as far as it is the library's, parted where the key stands."""
        self._answer: tuple[bytes, bytes] = (b"", b"")
        """What stands before and after the accepting key; nothing: no answer is known."""

    def ask(
        self, options: Options, uri: WebSocketURI, headers: Mapping[str, str], subprotocols: Sequence[str]
    ) -> Asked:
        """What to ask for one connection; a header of the plan replaces one of the protocol's."""
        same = (uri.secure, uri.host, uri.port, uri.username, uri.password, subprotocols, options.extensions)
        if same != self._same:
            names, head = _head(options, uri, {}, subprotocols)
            self._same, self._names, self._head = same, frozenset(map(str.lower, names)), head
        key, head = generate_key(), self._head
        more = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
        if more and not self._is_plain(headers):
            (_, head), more = _head(options, uri, headers, subprotocols), b""
        line = f"GET {uri.resource_name} HTTP/1.1\r\n".encode("ascii")
        return Asked(key, tuple(subprotocols), b"".join((line, key.encode().join(head), more, b"\r\n")))

    def _is_plain(self, headers: Mapping[str, str]) -> bool:
        """Whether these can stand behind the library's: none replaces one, none is there twice or may not be sent."""
        names = set(map(str.lower, headers))
        return (
            len(names) == len(headers) and names.isdisjoint(self._names) and all(map(str.isprintable, headers.values()))
        )

    def accepted(self, asked: Asked, view: memoryview, count: int) -> int:
        """How many of `view[:count]` are an answer that is known to accept; 0: the core has to read it."""
        before, after = self._answer
        known = b"".join((before, accept_key(asked.key).encode(), after))
        return len(known) if before and count >= len(known) and view[: len(known)] == known else 0

    def learn(self, protocol: ClientProtocol, answer: bytes) -> None:
        """The core has accepted an answer whose first read was `answer`."""
        head, ends, _ = answer.partition(HEAD_ENDS)
        parts = (head + ends).split(accept_key(protocol.key).encode())
        if ends and len(parts) == 2 and not protocol.extensions and protocol.subprotocol is None:
            self._answer = (parts[0], parts[1])


def _core(
    options: Options, uri: WebSocketURI, subprotocols: Sequence[str], state: State = State.CONNECTING
) -> ClientProtocol:  # fmt: skip
    return ClientProtocol(
        uri,
        extensions=options.extensions or None,
        subprotocols=typed(list[Subprotocol], list(subprotocols)) or None,
        max_size=options.max_message_bytes,
        state=state,
        logger=LOGGER,
    )


def _head(
    options: Options, uri: WebSocketURI, headers: Mapping[str, str], subprotocols: Sequence[str]
) -> tuple[list[str], list[bytes]]:
    """By the library: the names of all headers, and their lines, parted where the key stands."""
    protocol = _core(options, uri, subprotocols)
    asked = protocol.connect().headers
    for name, value in headers.items():
        if name in asked:
            del asked[name]
        asked[name] = value.encode().decode("latin-1")  # the core writes latin-1; on the wire it is UTF-8
    protocol.parser.close()
    lines = asked.serialize().removesuffix(b"\r\n")
    return [name for name, _ in asked.raw_items()], lines.split(protocol.key.encode())


def judge(protocol: ClientProtocol, response: Response | None, first: bytes) -> Refusal | None:
    """Why the upgrade failed, or None where it did not; `first` is what the answer began with."""
    wrong = protocol.handshake_exc
    if wrong is None:
        return None
    if response is not None:
        upgraded = response.status_code == 101
        outcome = Outcome.GARBLED if upgraded else Outcome.REJECTED
        text = str(wrong) if upgraded else f"HTTP {response.status_code} {response.reason_phrase}".rstrip()
        body = bytes((response.body or b"")[:BODY_BYTES]).decode("utf-8", "replace")
        status = response.status_code
        return Refusal(outcome, status, text, status, tuple(response.headers.raw_items()), body)
    if first[:2] in TLS_RECORDS:
        return Refusal(Outcome.GARBLED, 0, "the answer looks like TLS: the endpoint wants wss://")
    if isinstance(wrong.__cause__, EOFError):
        return Refusal(Outcome.CLOSED, 0, "the connection ended before an answer to the upgrade request")
    return Refusal(Outcome.GARBLED, 0, f"the answer to the upgrade request is not HTTP: {wrong.__cause__ or wrong}")
