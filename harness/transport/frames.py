"""Two shortcuts round the Sans-I/O core for what nearly every frame is: one whole, plain text frame.

The core parses a frame in 5 us and asks the system for four random bytes for each frame it sends; these take 0.5 and
1.5 us (benchmarks/transport.py). Whatever is not plain (fragments, control frames, 64-bit lengths, masks, reserved
bits) is left to the core, byte for byte.
"""

import os

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # the C one where there is one

FIN_TEXT = 0x81
MASKED = 0x80
POOL_BYTES = 4096


def whole_texts(view: memoryview, count: int, longest: int) -> tuple[list[bytes], int]:
    """The plain text frames at the beginning of what was read.

    Returns:
        Their payloads, and how many bytes they took; the rest is for the core.
    """
    found = []
    at = 0
    while count - at >= 2 and view[at] == FIN_TEXT:
        size = view[at + 1]
        begin = at + 2
        if size > 125:
            if size > 126 or count - at < 4:
                break
            size = view[at + 2] << 8 | view[at + 3]
            if size < 126:
                break  # not the shortest form: the core judges it
            begin = at + 4
        end = begin + size
        if end > count or size > longest:
            break
        found.append(bytes(view[begin:end]))
        at = end
    return found, at


class Masker:
    """Makes masked text frames (RFC 6455 5.3), its masks drawn from the system's randomness by the page."""

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0

    def text(self, data: bytes) -> bytes:
        """One whole text frame as a client sends it."""
        if self._at == len(self._pool):
            self._pool, self._at = os.urandom(POOL_BYTES), 0
        mask = self._pool[self._at : self._at + 4]
        self._at += 4
        size = len(data)
        if size < 126:
            head = bytes((FIN_TEXT, MASKED | size))
        elif size < 65536:
            head = bytes((FIN_TEXT, MASKED | 126, size >> 8, size & 255))
        else:
            head = bytes((FIN_TEXT, MASKED | 127)) + size.to_bytes(8, "big")
        return head + mask + apply_mask(data, mask)
