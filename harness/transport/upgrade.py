"""The upgrade: the request that opens a WebSocket, and what its answer means.

Pure. The subtle thing: an answer that is not HTTP at all is told by its first bytes, since the commonest mistake is a
`ws://` url for an endpoint that speaks TLS.
"""

from collections.abc import Mapping, Sequence
from typing import cast as typed

from websockets.client import ClientProtocol
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from ..model import Outcome
from .events import Refusal
from .options import Options

BODY_BYTES = 500
TLS_RECORDS = (b"\x15\x03", b"\x16\x03")


def request(
    options: Options, uri: WebSocketURI, headers: Mapping[str, str], subprotocols: Sequence[str]
) -> ClientProtocol:
    """A core whose request stands ready to be sent; a header of the plan replaces one of the protocol's."""
    protocol = ClientProtocol(
        uri,
        extensions=options.extensions or None,
        subprotocols=typed(list[Subprotocol], list(subprotocols)) or None,
        max_size=options.max_message_bytes,
    )
    asked = protocol.connect()
    for name, value in headers.items():
        if name in asked.headers:
            del asked.headers[name]
        asked.headers[name] = value.encode().decode("latin-1")  # the core writes latin-1; on the wire it is UTF-8
    protocol.send_request(asked)
    return protocol


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
