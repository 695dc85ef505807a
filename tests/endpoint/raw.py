"""A client of bare bytes: it does only what it is told, and answers nothing by itself."""

import json
import socket


def upgraded(endpoint, key, receive_buffer=0):
    """A raw socket past the upgrade, which never answers anything by itself."""
    host, port = endpoint.http.removeprefix("http://").split(":")
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect((host, int(port)))
    client.sendall(
        f"GET /ws?client={key}&token={endpoint.token(key)} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    assert head.startswith(b"HTTP/1.1 101")
    return client


def frame(action, id):
    return json.dumps({"version": "1.0", "action": action, "requestId": id, "roomId": "r1", "timestamp": 1}).encode()


def masked(payload):
    """A text frame, masked with zeros."""
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0xFE)) + size.to_bytes(2, "big")
    return head + bytes(4) + payload
