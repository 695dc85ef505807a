"""Frames and handshakes as a server writes them, byte by byte, and reading what a client sends."""

import base64
import hashlib
import ssl

from websockets.frames import Close, Frame, Opcode

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def answer(head: bytes, more: bytes = b"") -> bytes:
    """The acceptance of an upgrade request; `more` are header lines of its own."""
    key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    token = base64.b64encode(hashlib.sha1(key + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + token + b"\r\n" + more + b"\r\n"
    )


def read_head(peer) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        part = peer.recv(4096)
        assert part, "the client went away"
        head += part
    return head


def accept(peer, more: bytes = b"") -> bytes:
    """Answer the upgrade; the request's head."""
    head = read_head(peer)
    peer.sendall(answer(head, more))
    return head


def text(data, fin=True, opcode=Opcode.TEXT):
    return Frame(opcode, data, fin).serialize(mask=False)


def close_frame(code=1000, reason=""):
    return Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=False)


def read_to_end(peer):
    """All that comes until the end; None when it was a reset."""
    data = b""
    try:
        while part := peer.recv(65536):
            data += part
    except ConnectionResetError:
        return None
    except ssl.SSLError:
        pass
    return data
