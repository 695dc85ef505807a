"""TLS without a socket: OpenSSL between two memory buffers, so that the kernel's stamps of the raw bytes are kept.

`SSLSocket` refuses `recvmsg`, hence this way (docs/design.md, decision 4). Subtle: a message's arrival is exact only if
the same read brought no byte of a later record, and OpenSSL moves an incomplete record into a buffer of its own where
it cannot be seen; so the records' lengths are followed here, from outside.
"""

import re
import ssl
from contextlib import suppress
from typing import Any

from ..record.row import Outcome
from .events import Refusal

HEAD_BYTES = 5
HANDSHAKE, ALERT = 0x16, 0x15
PLAIN_BYTES = (1 << 16) + (1 << 15)
"""What one read of 64 KiB can open to at most, with a record begun by an earlier one."""


class RecordLengths:
    """Follows the lengths of TLS records (RFC 8446 5.1): is the stream between two of them?"""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        self._left = 0
        self._head = b""

    def feed(self, data: memoryview) -> None:
        """Go on by what was read."""
        count = len(data)
        at = self._left
        while at < count:
            head = self._head + bytes(data[at : at + HEAD_BYTES - len(self._head)])
            at += len(head) - len(self._head)
            if len(head) < HEAD_BYTES:
                self._head = head
                break
            self._head = b""
            at += head[3] << 8 | head[4]
        self._left = max(0, at - count)

    @property
    def between(self) -> bool:
        """Whether the last byte fed ended a record."""
        return not self._left and not self._head


class TlsRecords:
    """One client's TLS conversation.

    Raises (from every method): ssl.SSLError: it has failed; `refusal` puts that into words.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "_records", "_wrong", "first")

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object: Any = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._records = RecordLengths()
        self._wrong: ssl.SSLError | None = None
        self.first = -1
        """The first byte that came; -1 before it."""

    def feed(self, data: memoryview) -> None:
        """Take what the network gave."""
        if self.first < 0 and len(data):
            self.first = data[0]
        self._records.feed(data)
        self._incoming.write(data)

    def feed_eof(self) -> None:
        """The network gives no more."""
        self._incoming.write_eof()

    def shake(self) -> bool:
        """Go on with the handshake; whether it is done."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def decrypt(self, buffer: memoryview) -> tuple[int, bool]:
        """Decrypt what was fed into `buffer`: (bytes, whether the peer has ended the stream).

        Call it until it gives none: what came before a failure is given first.
        """
        if self._wrong is not None:
            raise self._wrong
        taken = 0
        while taken < len(buffer):
            try:
                count = self._object.read(len(buffer) - taken, buffer[taken:])
            except ssl.SSLWantReadError:
                break
            except ssl.SSLEOFError:
                return taken, True  # ended without TLS's own goodbye, as a process that exits does
            except ssl.SSLError as error:
                if not taken:
                    raise
                self._wrong = error
                break
            if not count:
                return taken, True
            taken += count
            if self.drained:
                break  # asking once more would only raise: 2 us
        return taken, False

    @property
    def drained(self) -> bool:
        """Whether all that was fed has been decrypted, and nothing of a further record has come."""
        return self._records.between and not self._incoming.pending and not self._object.pending()

    def encrypt(self, data: bytes) -> bytes:
        """Encrypt for the network."""
        view, at = memoryview(data), 0
        while at < len(data):
            at += self._object.write(view[at:])  # one record at a time
        return self._outgoing.read()

    def outgoing(self) -> bytes:
        """What TLS itself has to say: handshake, alerts, keys."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def goodbye(self) -> bytes:
        """The end of our side (close_notify), for the network; empty where there is nothing to end."""
        with suppress(ssl.SSLError, ValueError):  # it waits for the peer's, which we do not
            self._object.unwrap()
        return self.outgoing()


def refusal(error: ssl.SSLError, first: int) -> Refusal:
    """What a failed TLS conversation means; `first` is the first byte that came.

    A certificate that does not hold is what the endpoint sent (garbled, with OpenSSL's verify code); an alert is its
    refusal (rejected); anything else is not TLS.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"the endpoint's certificate is not accepted: {error.verify_message}"
        return Refusal(Outcome.GARBLED, error.verify_code, text)
    if first not in (HANDSHAKE, ALERT):
        return Refusal(Outcome.GARBLED, 0, "the endpoint does not speak TLS there: it wants ws://")
    words = explain(error)
    if "alert" in words:
        return Refusal(Outcome.REJECTED, 0, f"the endpoint refused the TLS connection: {words}")
    return Refusal(Outcome.GARBLED, 0, f"TLS failed: {words}")


def explain(error: ssl.SSLError) -> str:
    """OpenSSL's reason in plain words: `tlsv13 alert certificate required`."""
    reason = error.reason or re.sub(r"\s*\(_ssl\.c:\d+\)", "", str(error.args[-1] if error.args else error))
    return reason.replace("_", " ").lower()
