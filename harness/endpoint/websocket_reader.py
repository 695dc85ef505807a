"""One client's WebSocket after the upgrade: bytes to frames and messages, by the library's Sans-I/O core.

It takes the transport over from aiohttp. So a frame's size is known before the frame is read, every violation of the
protocol ends in a close frame that the client can read (our side is shut, then read to the end, never reset), and an
idle client costs no task. Other modules write to the transport directly: a server's frames need no state.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING, cast

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from .connection import GIVE_UP_S, Connection
from .envelope import CLOSE, PONG, close_frame

if TYPE_CHECKING:
    from .hub import Hub

log = logging.getLogger("squall.endpoint")

HIGH_BYTES = 1 << 16
"""How many bytes the transport may hold before frames wait in the connection's own queue."""


class WebSocketReader(asyncio.Protocol):
    """Reads one client until either side ends it."""

    __slots__ = ("_clean", "_connection", "_hub", "_message", "_protocol")

    def __init__(self, hub: "Hub", connection: Connection, protocol: ServerProtocol) -> None:
        self._hub = hub
        self._connection = connection
        self._protocol = protocol
        self._message: list[bytes] = []
        self._clean = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        transport = cast(asyncio.Transport, transport)
        transport.set_write_buffer_limits(high=HIGH_BYTES)
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        """Read the frames in some bytes."""
        protocol = self._protocol
        protocol.receive_data(data)
        for frame in protocol.events_received():
            self._frame(cast(Frame, frame))  # there are no requests after the opening
        if protocol.writes:
            self._flush()

    def eof_received(self) -> bool:
        """The client sends no more; the transport then closes itself."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        hub, connection = self._hub, self._connection
        hub.end(connection, clean=self._clean)
        hub.counters.disconnects[connection.why or ("closed by the client" if self._clean else "lost")] += 1

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._connection.pause()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._connection.resume()

    def _frame(self, frame: Frame) -> None:
        connection, opcode = self._connection, frame.opcode
        if opcode is Opcode.CLOSE:
            self._closed()
        elif connection.gone:
            return
        elif opcode is Opcode.TEXT or opcode is Opcode.CONT:
            if frame.fin and not self._message:
                self._text(bytes(frame.data))
                return
            self._message.append(bytes(frame.data))
            if frame.fin:
                message, self._message = b"".join(self._message), []
                self._text(message)
        elif opcode is Opcode.PONG:
            self._hub.policies.pong(connection, time.monotonic())
        elif opcode is Opcode.BINARY:
            self._fail(1003, "text only")

    def _text(self, payload: bytes) -> None:
        try:
            payload.decode()
        except UnicodeDecodeError:
            self._fail(1007, "not UTF-8")
            return
        self._hub.receive(self._connection, payload)

    def _closed(self) -> None:
        """The client closes, or answers our close."""
        connection = self._connection
        if connection.gone:
            connection.transport.close()
            return
        self._clean = True

    def _fail(self, code: int, reason: str) -> None:
        self._protocol.fail(code, reason)

    def _flush(self) -> None:
        """Write the core's answers: pongs, the echo of a close, the close after a violation, and the end."""
        connection, protocol, policies = self._connection, self._protocol, self._hub.policies
        for data in protocol.data_to_send():
            if connection.gone:
                continue
            if not data:
                self._finish()
            elif data[0] == PONG:
                policies.answer_ping(connection, data)
            elif data[0] == CLOSE and not self._clean:
                close = protocol.close_sent
                assert close is not None
                connection.why = f"broke a rule ({close.code})"
                log.info("connection %s is closed with %d: %s", connection.id, close.code, close.reason)
                connection.transport.write(close_frame(policies.close_code(close.code), close.reason))
            else:
                connection.transport.write(data)

    def _finish(self) -> None:
        """Remove it from the list and shut our side; the client's side is read until it ends, for a while."""
        connection = self._connection
        self._hub.end(connection, clean=True)
        transport = connection.transport
        if not transport.is_closing():
            transport.write_eof()
            asyncio.get_running_loop().call_later(GIVE_UP_S, transport.abort)
