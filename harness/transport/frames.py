"""Two shortcuts round the Sans-I/O core: reading what nearly every frame is, one whole, plain text; and sending.

The core parses a frame in 5 us and asks the system for four random bytes for each frame it sends; these take 0.5 and
1.5 us. Whatever comes and is not plain (fragments, control frames, 64-bit lengths, masks, reserved bits) is left to
the core, byte for byte; so a compressed message is too, whose frame has RSV1 set (RFC 7692 6). What is sent never goes
through the core: it cannot hold frames to a maximum size once they are compressed.
"""

import os
from collections.abc import Iterator
from struct import Struct
from types import GeneratorType
from typing import Any

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode, apply_mask  # type: ignore[attr-defined]  # the C one where there is one
from websockets.streams import StreamReader

FIN, RSV1, OPCODE = 0x80, 0x40, 0x0F
FIN_TEXT = 0x81  # plain numbers: these are compared and written for every frame
MASKED = 0x80
POOL_BYTES = 4096
MASK = Struct("4s")
HEAD = Struct(">BBH")
"""How a frame begins: opcode, size, and the size again where that was 126."""
REMEMBERED_BYTES = 4096
BETWEEN = StreamReader.at_eof.__code__


def whole_texts(view: memoryview, count: int, longest: int) -> tuple[list[bytes], int]:
    """The plain text frames at the beginning of what was read, but for those of a letter or none.

    Returns:
        Their payloads, and how many bytes they took; the rest is for the core.
    """
    found: list[bytes] = []
    at = 0
    while count - at >= HEAD.size:
        first, size, extended = HEAD.unpack_from(view, at)
        if first != FIN_TEXT:
            break
        begin = at + 2
        if size > 125:
            if size > 126 or extended < 126:
                break  # 64 bits, a mask, or not the shortest form: the core judges it
            size, begin = extended, at + HEAD.size
        end = begin + size
        if end > count or size > longest:
            break
        found.append(view[begin:end].tobytes())
        at = end
    return found, at


def is_between(protocol: ClientProtocol) -> bool:
    """Whether the core has taken whole frames only, so that the next byte is the first of one.

    This reads the library's own generator, which is not part of its interface; tests/transport/
    test_websockets_contract.py fails where a release has changed it.

    An empty buffer does not say so: the core takes a header out of it before it waits for the payload. It does not say
    either where it stands; but only between frames does it wait for "more, or the end of the stream".
    """
    waiting: Any = protocol.parser
    while isinstance(inner := waiting.gi_yieldfrom, GeneratorType):
        waiting = inner
    return waiting.gi_code is BETWEEN


def _head(first: int, size: int) -> bytes:
    """A frame of a client's up to its mask."""
    if size < 126:
        return bytes((first, MASKED | size))
    if size < 65536:
        return bytes((first, MASKED | 126, size >> 8, size & 255))
    return bytes((first, MASKED | 127)) + size.to_bytes(8, "big")


class Masker:
    """Makes masked frames (RFC 6455 5.3), its masks drawn from the system's randomness by the page."""

    def __init__(self) -> None:
        self._masks: Iterator[tuple[bytes]] = iter(())
        self._heads: dict[int, bytes] = {}
        """How a whole text begins, by its number of bytes."""

    def frame(self, first: int, data: bytes) -> bytes:
        """One frame as a client sends it; `first` is its first byte: FIN_TEXT for one whole text."""
        size = len(data)
        head = self._heads.get(size) if first == FIN_TEXT else None
        if head is None:
            head = _head(first, size)
            if first == FIN_TEXT and size <= REMEMBERED_BYTES:
                self._heads[size] = head
        found = next(self._masks, None)
        if found is None:
            self._masks = MASK.iter_unpack(os.urandom(POOL_BYTES))
            (mask,) = next(self._masks)
        else:
            (mask,) = found
        return head + mask + apply_mask(data, mask)

    def message(self, first: int, data: bytes, longest: int, deflate: PerMessageDeflate | None) -> bytes:
        """One message, compressed where that was agreed on, in frames of at most `longest` payload bytes."""
        if deflate is not None:
            opcode = Opcode(first & OPCODE)
            data = bytes(deflate.encode(Frame(opcode, data)).data)
            first |= RSV1
        if len(data) <= longest:
            return self.frame(first, data)
        parts = [data[at : at + longest] for at in range(0, len(data), longest)]
        middle = b"".join(self.frame(Opcode.CONT, part) for part in parts[1:-1])
        return self.frame(first & ~FIN, parts[0]) + middle + self.frame(FIN | Opcode.CONT, parts[-1])
